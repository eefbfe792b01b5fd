// Loops of batch and group norms on the GPU, over the rows [begin, end) of x [rows, channels]: each thread has N
// channels and takes turns at the rows (rows.cuh). The CPU's are in norm_rows.h.
#pragma once

#include "kernels/nn/moments.cuh"
#include "kernels/nn/norm.h"
#include "kernels/nn/rows.cuh"

namespace diopter::cuda {

/// Adds this thread's values of x to the moments of its channels. One pass over x.
template <int N, class T>
__device__ inline void add_moments(std::int64_t begin, std::int64_t end, int channels, const T* x,
                                   Moments<float> (&mine)[N]) {
  const auto add = [&](auto, std::int64_t, const Packed<T, N>& values) {
    const float reciprocal = 1.0f / (mine[0].n + 1.0f);
#pragma unroll
    for (int j = 0; j < N; ++j) mine[j].add(float(values[j]), reciprocal);
  };
  for_each_row<N>(begin, end, channels, true, add, x);
}

/// y = x scale + shift, at least `lowest`. Each element stands alone: x may be y.
template <int N, class T>
__device__ inline void scale_and_shift(std::int64_t begin, std::int64_t end, int channels, const T* x,
                                       const Packed<float, N>& scale, const Packed<float, N>& shift, T* y,
                                       float lowest = kNoRelu) {
  const auto map = [&](auto access, std::int64_t i, Packed<T, N> values) {
#pragma unroll
    for (int j = 0; j < N; ++j) values[j] = to<T>(NormMap{scale[j], shift[j], lowest}(float(values[j])));
    access.write(y + i, values);
  };
  for_each_row<N>(begin, end, channels, is_packed<N>(y), map, x);
}

/// Adds this thread's dy and dy (x - mean) to the sums of its channels; dy as pass(j, x, dy) gives it.
template <int N, class T, class Pass = AllPass>
__device__ inline void add_norm_products(std::int64_t begin, std::int64_t end, int channels, const T* x, const T* dy,
                                         const Packed<float, N>& mean, Pair<float> (&mine)[N], Pass pass = {}) {
  const auto add = [&](auto, std::int64_t, const Packed<T, N>& values, const Packed<T, N>& gradient) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float value = float(values[j]), g = pass(j, value, float(gradient[j]));
      mine[j] += Pair<float>{g, g * (value - mean[j])};
    }
  };
  for_each_row<N>(begin, end, channels, true, add, x, dy);
}

/// dx = a dy + b (x - mean) + d, dy as pass(j, x, dy) gives it. Each element stands alone: dx may be dy.
template <int N, class T, class Pass = AllPass>
__device__ inline void norm_gradient(std::int64_t begin, std::int64_t end, int channels, const T* x, const T* dy,
                                     const Packed<float, N>& a, const Packed<float, N>& b, const Packed<float, N>& d,
                                     const Packed<float, N>& mean, T* dx, Pass pass = {}) {
  const auto map = [&](auto access, std::int64_t i, const Packed<T, N>& values, Packed<T, N> gradient) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float value = float(values[j]), g = pass(j, value, float(gradient[j]));
      gradient[j] = to<T>(NormGradient{a[j], b[j], d[j], mean[j]}(value, g));
    }
    access.write(dx + i, gradient);
  };
  for_each_row<N>(begin, end, channels, is_packed<N>(dx), map, x, dy);
}

}  // namespace diopter::cuda
