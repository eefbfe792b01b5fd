#include "kernels/nn/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/parallel.h"
#include "kernels/nn/row_sums.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kSumGrain = 1 << 15;

/// Sum of term(i) for i = begin .. end-1. Eight running sums: additions that do not wait for each other.
template <class S, class Term>
S piece_sum(std::int64_t begin, std::int64_t end, Term term) {
  S lane[8] = {};
  for (; begin + 8 <= end; begin += 8) {
    for (int j = 0; j < 8; ++j) lane[j] += term(begin + j);
  }
  for (int j = 0; begin < end; ++begin, ++j) lane[j] += term(begin);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/// Sum of term(i) for i = 0 .. n-1.
template <class S, class Term>
S sum_of(std::int64_t n, Term term) {
  return parallel_sum<S>(n, kSumGrain,
                         [=](std::int64_t begin, std::int64_t end) { return piece_sum<S>(begin, end, term); });
}

}  // namespace

template <class T>
void sum(std::int64_t n, const T* x, float* result) {
  *result = static_cast<float>(sum_of<double>(n, [=](std::int64_t i) { return double{float(x[i])}; }));
}

template <class T>
void column_sum(std::int64_t rows, int channels, const T* x, float* result) {
  const auto sums =
      row_sums(rows, row_grain(rows, channels), channels, [=](std::int64_t begin, std::int64_t end, double* partial) {
        for (std::int64_t row = begin; row < end; ++row) {
          const T* values = x + row * channels;
          for (int c = 0; c < channels; ++c) partial[c] += double{float(values[c])};
        }
      });
  std::copy(sums.begin(), sums.end(), result);
}

void dot(std::int64_t n, const float* a, const float* b, float* result) {
  *result = static_cast<float>(sum_of<double>(n, [=](std::int64_t i) { return double{a[i]} * double{b[i]}; }));
}

void squared_norm(std::int64_t n, const float* x, float* result) {
  *result = static_cast<float>(sum_of<double>(n, [=](std::int64_t i) { return double{x[i]} * double{x[i]}; }));
}

void squared_norms(std::int64_t n, std::int64_t run, const float* x, float* result) {
  const std::int64_t runs = (n + run - 1) / run, grain = std::max<std::int64_t>(kSumGrain / run, 1);
  parallel_for(runs, grain, [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const auto square = [=](std::int64_t j) { return double{x[j]} * double{x[j]}; };
      result[i] = static_cast<float>(piece_sum<double>(i * run, std::min((i + 1) * run, n), square));
    }
  });
}

template <class T>
void count_non_finite(std::int64_t n, const T* x, std::int32_t* result) {
  const auto count = sum_of<std::int64_t>(n, [=](std::int64_t i) { return std::isfinite(float(x[i])) ? 0 : 1; });
  *result = static_cast<std::int32_t>(std::min<std::int64_t>(count, std::numeric_limits<std::int32_t>::max()));
}

template void sum(std::int64_t, const float*, float*);
template void sum(std::int64_t, const bf16*, float*);
template void column_sum(std::int64_t, int, const float*, float*);
template void column_sum(std::int64_t, int, const bf16*, float*);
template void count_non_finite(std::int64_t, const float*, std::int32_t*);
template void count_non_finite(std::int64_t, const bf16*, std::int32_t*);

}  // namespace diopter::cpu
