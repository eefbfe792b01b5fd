// Device memory that a kernel call needs for itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "kernels/common/cuda_check.h"
#include "kernels/common/memory.h"
#include "kernels/common/stream.h"

namespace diopter::cuda {

/// Sets n elements to zero bits, in the order of stream().
template <class T>
void set_zero(T* p, std::int64_t n) {
  if (n > 0) check(cudaMemsetAsync(p, 0, static_cast<std::size_t>(n) * sizeof(T), stream()), "cudaMemsetAsync");
}

/// n uninitialised elements; allocated and freed in the order of stream(), so nothing waits for the kernels.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n) : memory_(static_cast<T*>(allocate(static_cast<std::size_t>(n) * sizeof(T)))) {}
  ~Scratch() { deallocate(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return memory_; }

 private:
  T* memory_;
};

}  // namespace diopter::cuda
