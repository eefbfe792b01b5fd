// Loops of batch and group norms on the CPU, over `rows` rows of `channels` values; the GPU's are in norm_rows.cuh.
#pragma once

#include <cstdint>

#include "kernels/nn/norm.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

/// sum[c] += x, square[c] += x^2.
template <class T>
void add_moments(std::int64_t rows, int channels, const T* x, double* sum, double* square) {
  with_widest_vectors([=] {
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* values = x + row * channels;
      for (int c = 0; c < channels; ++c) {
        const double value = float(values[c]);
        sum[c] += value;
        square[c] += value * value;
      }
    }
  });
}

/// y = scale[c] x + shift[c], at least `lowest`.
template <class T>
void scale_and_shift(std::int64_t rows, int channels, const T* x, const float* scale, const float* shift, T* y,
                     float lowest = kNoRelu) {
  with_widest_vectors([=] {
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels;
      for (int c = 0; c < channels; ++c) y[at + c] = T(NormMap{scale[c], shift[c], lowest}(float(x[at + c])));
    }
  });
}

/// sum[c] += dy, product[c] += dy (x - mean[c]), of the dy that pass(c, x, dy) gives.
template <class T, class Pass = AllPass>
void add_norm_products(std::int64_t rows, int channels, const T* x, const T* dy, const float* mean, double* sum,
                       double* product, Pass pass = {}) {
  with_widest_vectors([=] {
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels;
      for (int c = 0; c < channels; ++c) {
        const float value = float(x[at + c]), gradient = pass(c, value, float(dy[at + c]));
        sum[c] += double{gradient};
        product[c] += double{gradient * (value - mean[c])};
      }
    }
  });
}

/// Those of NormGradient, [channels] each.
struct NormFactors {
  const float *a, *b, *d, *mean;
};

/// dx = a[c] dy + b[c] (x - mean[c]) + d[c], of the dy that pass(c, x, dy) gives.
template <class T, class Pass = AllPass>
void norm_gradient(std::int64_t rows, int channels, const T* x, const T* dy, const NormFactors& f, T* dx,
                   Pass pass = {}) {
  with_widest_vectors([=] {
    const float *a = f.a, *b = f.b, *d = f.d, *mean = f.mean;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels;
      for (int c = 0; c < channels; ++c) {
        const float value = float(x[at + c]), gradient = pass(c, value, float(dy[at + c]));
        dx[at + c] = T(NormGradient{a[c], b[c], d[c], mean[c]}(value, gradient));
      }
    }
  });
}

}  // namespace diopter::cpu
