// Device memory for the duration of one call.
#pragma once

#include <cstdint>

#include "kernels/common/memory.h"

namespace diopter::cuda {

/// n uninitialised elements until the end of the scope. The memory is taken and given back in the order of the stream,
/// so that kernels launched in the scope may still be running when it ends.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n) : data_(static_cast<T*>(allocate(static_cast<std::size_t>(n) * sizeof(T)))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { deallocate(data_); }

  T* data() const { return data_; }

 private:
  T* data_;
};

}  // namespace diopter::cuda
