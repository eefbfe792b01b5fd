// Reductions with a fixed order of addition: the same bits for any number of threads.
// Results lie in device memory and are overwritten. n and rows may be 0 (sums are 0).
//
// Start here: kernels/plain/reduce.h
#pragma once

#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

DIOPTER_KERNEL(
    /// result[0] = sum of x
    template <class T> void sum(std::int64_t n, const T* x, float* result);
    /// result[c] = sum over the rows of x [rows, channels]
    template <class T> void column_sum(std::int64_t rows, int channels, const T* x, float* result);
    /// result[0] = sum of a * b
    void dot(std::int64_t n, const float* a, const float* b, float* result);
    /// result[0] = sum of x^2, added in double
    void squared_norm(std::int64_t n, const float* x, float* result);
    /// result[i] = sum of x^2 over run i of x, added in double: `run` values each, the last one has what is left
    void squared_norms(std::int64_t n, std::int64_t run, const float* x, float* result);
    /// result[0] = number of values that are infinite or NaN (at most INT32_MAX)
    template <class T> void count_non_finite(std::int64_t n, const T* x, std::int32_t* result))

namespace diopter::least_work {

template <class T>
LeastWork sum(std::int64_t n, const T*, const float*) {
  return passes<T>(1, n);
}
template <class T>
LeastWork column_sum(std::int64_t rows, int channels, const T*, const float*) {
  return passes<T>(1, rows * channels);
}
inline LeastWork dot(std::int64_t n, const float*, const float*, const float*) { return passes<float>(2, n); }
inline LeastWork squared_norm(std::int64_t n, const float*, const float*) { return passes<float>(1, n); }
inline LeastWork squared_norms(std::int64_t n, std::int64_t, const float*, const float*) { return passes<float>(1, n); }
template <class T>
LeastWork count_non_finite(std::int64_t n, const T*, const std::int32_t*) {
  return passes<T>(1, n);
}

}  // namespace diopter::least_work
