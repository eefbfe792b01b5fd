// Matrix products on the CPU, and the memory for their operands.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/base/bf16.h"
#include "kernels/device/memory.h"

namespace diopter::cpu {

/// Floats of one call or one thread, 64-byte aligned. Growing loses the contents.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t floats) { get(floats); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { deallocate(data_); }

  float* get(std::int64_t floats) {
    if (floats > size_) {
      deallocate(data_);
      data_ = nullptr, size_ = 0;
      data_ = static_cast<float*>(allocate(static_cast<std::size_t>(floats) * sizeof(float)));
      size_ = floats;
    }
    return data_;
  }
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
  std::int64_t size_ = 0;
};

enum class Transposed { no, yes };

/// c [m, n] = a b + beta c, row-major, on the calling thread. Transposed: a is stored [k, m], b is stored [n, k]. beta
/// is 0 or 1, and with 0 whatever c held is not read. gemm_onednn.cpp or gemm_openblas.cpp, as CMake found.
void gemm(Transposed at, Transposed bt, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
          std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc);

template <class T>
void convert(std::int64_t n, const T* from, float* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = float(from[i]);
}
inline void convert(std::int64_t n, const float* from, float* to) {
  std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
}

/// An array as floats: the array itself, or a copy that lives as long as this.
template <class T>
class FloatCopy {
 public:
  FloatCopy(std::int64_t n, const T* w) {
    if constexpr (std::is_same_v<T, float>) {
      data_ = w;
    } else {
      convert(n, w, copy_.get(n));
      data_ = copy_.data();
    }
  }
  const float* data() const { return data_; }

 private:
  Buffer copy_;
  const float* data_;
};

}  // namespace diopter::cpu
