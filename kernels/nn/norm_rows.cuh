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
  for_each_row<N>(begin, end, channels, [&](std::int64_t i, int count) {
    const auto values = read<N>(x + i, count);
    const float reciprocal = 1.0f / (mine[0].n + 1.0f);
#pragma unroll
    for (int j = 0; j < N; ++j) mine[j].add(float(values[j]), reciprocal);
  });
}

/// y = x scale + shift. Each element stands alone: x may be y.
template <int N, class T>
__device__ inline void scale_and_shift(std::int64_t begin, std::int64_t end, int channels, const T* x,
                                       const Packed<float, N>& scale, const Packed<float, N>& shift, T* y) {
  for_each_row<N>(begin, end, channels, [&](std::int64_t i, int count) {
    auto values = read<N>(x + i, count);
#pragma unroll
    for (int j = 0; j < N; ++j) values[j] = to<T>(NormMap{scale[j], shift[j]}(float(values[j])));
    write(y + i, count, values);
  });
}

/// Adds this thread's dy and dy (x - mean) to the sums of its channels.
template <int N, class T>
__device__ inline void add_norm_products(std::int64_t begin, std::int64_t end, int channels, const T* x, const T* dy,
                                         const Packed<float, N>& mean, Pair<float> (&mine)[N]) {
  for_each_row<N>(begin, end, channels, [&](std::int64_t i, int count) {
    const auto values = read<N>(x + i, count), gradient = read<N>(dy + i, count);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      mine[j] += Pair<float>{float(gradient[j]), float(gradient[j]) * (float(values[j]) - mean[j])};
    }
  });
}

/// dx = a dy + b (x - mean) + d. Each element stands alone: dx may be dy.
template <int N, class T>
__device__ inline void norm_gradient(std::int64_t begin, std::int64_t end, int channels, const T* x, const T* dy,
                                     const Packed<float, N>& a, const Packed<float, N>& b, const Packed<float, N>& d,
                                     const Packed<float, N>& mean, T* dx) {
  for_each_row<N>(begin, end, channels, [&](std::int64_t i, int count) {
    const auto values = read<N>(x + i, count);
    auto gradient = read<N>(dy + i, count);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      gradient[j] = to<T>(NormGradient{a[j], b[j], d[j], mean[j]}(float(values[j]), float(gradient[j])));
    }
    write(dx + i, count, gradient);
  });
}

}  // namespace diopter::cuda
