// Reductions, the shortest way: loops in double. The fast versions: kernels/nn/reduce.{h,cpp,cu}.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace diopter::plain {

template <class T>
double sum(std::int64_t n, const T* x) {
  double result = 0;
  for (std::int64_t i = 0; i < n; ++i) result += float(x[i]);
  return result;
}

/// result [channels]: sums over the rows of x [rows, channels].
template <class T>
void column_sum(std::int64_t rows, int channels, const T* x, double* result) {
  std::fill_n(result, channels, 0.0);
  for (std::int64_t i = 0; i < rows * channels; ++i) result[i % channels] += float(x[i]);
}

inline double dot(std::int64_t n, const float* a, const float* b) {
  double result = 0;
  for (std::int64_t i = 0; i < n; ++i) result += static_cast<double>(a[i]) * b[i];
  return result;
}

inline double squared_norm(std::int64_t n, const float* x) { return dot(n, x, x); }

/// result [ceil(n / run)]
inline void squared_norms(std::int64_t n, std::int64_t run, const float* x, double* result) {
  for (std::int64_t i = 0; i < n; i += run) result[i / run] = squared_norm(std::min(run, n - i), x + i);
}

template <class T>
std::int32_t count_non_finite(std::int64_t n, const T* x) {
  std::int32_t result = 0;
  for (std::int64_t i = 0; i < n; ++i) result += !std::isfinite(float(x[i]));
  return result;
}

}  // namespace diopter::plain
