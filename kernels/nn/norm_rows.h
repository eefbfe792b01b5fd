// The loops of batch and group norms on the CPU, over `rows` rows of `channels` values.
#pragma once

#include <cstdint>

#include "kernels/common/simd.h"

namespace diopter::cpu {

/// sum[c] += x, square[c] += x^2.
template <class T>
DIOPTER_SIMD void add_moments(std::int64_t rows, int channels, const T* x, double* sum, double* square) {
  for (; rows > 0; --rows, x += channels) {
    for (int c = 0; c < channels; ++c) {
      const double value = float(x[c]);
      sum[c] += value;
      square[c] += value * value;
    }
  }
}

/// y = scale[c] x + shift[c].
template <class T>
DIOPTER_SIMD void scale_and_shift(std::int64_t rows, int channels, const T* x, const float* scale, const float* shift,
                                  T* y) {
  for (; rows > 0; --rows, x += channels, y += channels) {
    for (int c = 0; c < channels; ++c) y[c] = T(float(x[c]) * scale[c] + shift[c]);
  }
}

/// sum[c] += dy, product[c] += dy (x - mean[c]).
template <class T>
DIOPTER_SIMD void add_norm_products(std::int64_t rows, int channels, const T* x, const T* dy, const float* mean, double* sum,
                               double* product) {
  for (; rows > 0; --rows, x += channels, dy += channels) {
    for (int c = 0; c < channels; ++c) {
      sum[c] += float(dy[c]);
      product[c] += float(dy[c]) * (float(x[c]) - mean[c]);
    }
  }
}

/// Of each channel.
struct NormFactors {
  const float *a, *b, *d, *mean;
};

/// dx = a[c] dy + b[c] (x - mean[c]) + d[c].
template <class T>
DIOPTER_SIMD void norm_gradient(std::int64_t rows, int channels, const T* x, const T* dy, const NormFactors& f, T* dx) {
  const float *a = f.a, *b = f.b, *d = f.d, *mean = f.mean;
  for (; rows > 0; --rows, x += channels, dy += channels, dx += channels) {
    for (int c = 0; c < channels; ++c) dx[c] = T(a[c] * float(dy[c]) + (b[c] * (float(x[c]) - mean[c]) + d[c]));
  }
}

}  // namespace diopter::cpu
