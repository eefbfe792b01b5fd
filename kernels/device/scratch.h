// Device memory that a kernel call needs for itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device/memory.h"

namespace diopter::cuda {

/// n uninitialised elements; allocated and freed in the order of stream(), so nothing waits for the kernels.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n)
      : bytes_(static_cast<std::size_t>(n) * sizeof(T)), memory_(static_cast<T*>(allocate(bytes_))) {}
  ~Scratch() { deallocate(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return memory_; }
  void set_zero() const { zero(memory_, bytes_); }

 private:
  std::size_t bytes_;
  T* memory_;
};

}  // namespace diopter::cuda
