#include "kernels/nn/reduce.h"

#include <cmath>

#include "kernels/device/scratch.h"
#include "kernels/nn/rows.cuh"
#include "kernels/toolkit/reduce.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr unsigned kMost = 1024;  // partial sums

/// partial[b] = sum of term(x[i], ...) over what falls to block b: its threads and those of all blocks take turns at
/// 16 bytes. Sums are of type S, double for numbers: it costs nothing beside the memory, even where a GPU has few
/// double units. Fixed map and order: the same input gives the same bits.
template <class S, class Term, class... X>
__global__ void __launch_bounds__(kThreads) sum_kernel(std::int64_t n, Term term, S* partial, const X*... x) {
  constexpr int N = kTogether<X...>;
  S sum = 0;
  for (std::int64_t pack : grid_stride((n + N - 1) / N)) {
    const std::int64_t i = pack * N, count = n - i;
    const auto add = [&](const auto&... in) {
#pragma unroll
      for (int j = 0; j < N; ++j) sum += term(float(in[j])...);  // behind the end: term(0) = 0
    };
    add(read<N>(x + i, count)...);
  }
  // All threads come here, also those that had nothing to add.
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// result[0] = sum of the partial sums, which one block adds up.
template <class S, class Result>
__global__ void __launch_bounds__(kThreads) sum_of_partials_kernel(int count, const S* partial, Result* result) {
  S sum = 0;
  for (int i = threadIdx.x; i < count; i += kThreads) sum += partial[i];
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x != 0) return;
  if constexpr (std::is_integral_v<Result>) sum = min(sum, S{INT32_MAX});
  *result = static_cast<Result>(sum);
}

template <class S, class Term, class Result, class... X>
void sum_of(std::int64_t n, Term term, Result* result, const X*... x) {
  constexpr int N = kTogether<X...>;
  const unsigned blocks = blocks_for((n + N - 1) / N, kThreads, kMost);
  const Scratch<S> partial(blocks);
  launch(sum_kernel<S, Term, X...>, {.grid = blocks, .block = kThreads}, n, term, partial.data(), x...);
  launch(sum_of_partials_kernel<S, Result>, {.grid = 1, .block = kThreads}, static_cast<int>(blocks), partial.data(),
         result);
}

struct Value {
  __device__ double operator()(float x) const { return x; }
};
struct Product {
  __device__ double operator()(float a, float b) const { return static_cast<double>(a) * b; }
};
struct Square {
  __device__ double operator()(float x) const { return static_cast<double>(x) * x; }
};
struct NonFinite {
  __device__ std::int64_t operator()(float x) const { return std::isfinite(x) ? 0 : 1; }
};

/// result[b] = squared norm of run b, of block b.
__global__ void __launch_bounds__(kThreads)
    squared_norms_kernel(std::int64_t n, std::int64_t run, const float* x, float* result) {
  constexpr int N = kPack<float>;
  const std::int64_t begin = blockIdx.x * run, end = min(begin + run, n);
  double sum = 0;
  for (std::int64_t i = begin + static_cast<int>(threadIdx.x) * N; i < end; i += kThreads * N) {
    const auto values = read<N>(x + i, end - i);
#pragma unroll
    for (int j = 0; j < N; ++j) sum += Square()(values[j]);
  }
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) result[blockIdx.x] = static_cast<float>(sum);
}

/// partial[chunk, channel] = sum over the rows of a chunk. Mapping: rows.cuh.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    column_partials_kernel(std::int64_t rows, std::int64_t chunk, int channels, const T* x, float* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, rows);
  float sums[N] = {};
  const auto add = [&](auto, std::int64_t, const Packed<T, N>& values) {
#pragma unroll
    for (int j = 0; j < N; ++j) sums[j] += float(values[j]);
  };
  for_each_row<N>(begin, end, channels, true, add, x);
  store_partial(sums, channels, partial);
}

/// result[channel] = sum of its partial sums, in double.
__global__ void __launch_bounds__(kRowThreads)
    column_totals_kernel(std::int64_t chunks, int channels, const float* partial, float* result) {
  const double total = column_total<double>(chunks, channels, partial);
  if (threadIdx.y == 0 && total_column() < channels) result[total_column()] = static_cast<float>(total);
}

}  // namespace

void column_totals(std::int64_t chunks, int channels, const float* partial, float* result) {
  launch(column_totals_kernel, {.grid = total_grid(channels), .block = total_block()}, chunks, channels, partial,
         result);
}

template <class T>
void sum(std::int64_t n, const T* x, float* result) {
  sum_of<double>(n, Value{}, result, x);
}

template <class T>
void column_sum(std::int64_t rows, int channels, const T* x, float* result) {
  const RowCut cut = cut_for_sums<kPack<T>>(rows, channels);
  const Scratch<float> partial(std::int64_t{cut.grid.x} * channels);
  launch(column_partials_kernel<T>, {.grid = cut.grid, .block = cut.block}, rows, cut.rows, channels, x,
         partial.data());
  column_totals(cut.grid.x, channels, partial.data(), result);
}

void dot(std::int64_t n, const float* a, const float* b, float* result) { sum_of<double>(n, Product{}, result, a, b); }

void squared_norm(std::int64_t n, const float* x, float* result) { sum_of<double>(n, Square{}, result, x); }

void squared_norms(std::int64_t n, std::int64_t run, const float* x, float* result) {
  launch(squared_norms_kernel, {.grid = blocks_for((n + run - 1) / run, 1), .block = kThreads}, n, run, x, result);
}

template <class T>
void count_non_finite(std::int64_t n, const T* x, std::int32_t* result) {
  sum_of<std::int64_t>(n, NonFinite{}, result, x);
}

template void sum(std::int64_t, const float*, float*);
template void sum(std::int64_t, const bf16*, float*);
template void column_sum(std::int64_t, int, const float*, float*);
template void column_sum(std::int64_t, int, const bf16*, float*);
template void count_non_finite(std::int64_t, const float*, std::int32_t*);
template void count_non_finite(std::int64_t, const bf16*, std::int32_t*);

}  // namespace diopter::cuda
