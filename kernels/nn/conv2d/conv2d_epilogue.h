// Epilogue of a convolution on the CPU, one piece of pixels and channels at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/nn/conv2d/conv2d_args.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

/// y = relu(z scale + bias + residual); a missing part is its neutral value: z * 1 + 0, at least -infinity.
template <class T>
class EpilogueOf {
 public:
  EpilogueOf(const Conv2dEpilogue<T>& e, int channels, T* y)
      : e_(e),
        channels_(channels),
        y_(y),
        one_(e.scale ? 0 : channels, 1.0f),
        zero_(e.bias ? 0 : channels, 0.0f),
        scale_(e.scale ? e.scale : one_.data()),
        bias_(e.bias ? e.bias : zero_.data()),
        lowest_(e.lowest()) {}
  EpilogueOf(const EpilogueOf&) = delete;

  bool changes_nothing() const { return !e_.scale && !e_.bias && !e_.residual && !e_.relu; }

  /// Stores the rows [begin, begin + rows) of channels [c, c + wide) from z, whose rows are `stride` floats apart.
  void operator()(std::int64_t begin, std::int64_t rows, int c, int wide, const float* z, std::int64_t stride) const {
    with_widest_vectors([=, this] {
      const float *a = scale_ + c, *b = bias_ + c, lowest = lowest_;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t at = (begin + row) * channels_ + c;
        const float* from = z + row * stride;
        T* y = y_ + at;
        if (const T* residual = e_.residual ? e_.residual + at : nullptr) {
          for (int o = 0; o < wide; ++o) {
            y[o] = T(conv2d_result(lowest, from[o], a[o], b[o], float(residual[o])));
          }
        } else {
          for (int o = 0; o < wide; ++o) y[o] = T(conv2d_result(lowest, from[o], a[o], b[o]));
        }
      }
    });
  }

 private:
  const Conv2dEpilogue<T> e_;
  const std::int64_t channels_;
  T* const y_;
  const std::vector<float> one_, zero_;
  const float *const scale_, *const bias_;
  const float lowest_;
};

}  // namespace diopter::cpu
