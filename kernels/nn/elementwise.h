// Elementwise operations on n values: sums, activations, casts. T is float or bf16, arithmetic is float.
//
//   relu(x) = max(x, 0)            dx = dy where y > 0, else 0
//   sigmoid(x) = 1 / (1 + e^-x)    dx = dy y (1 - y)
//
// Inputs and outputs may be the same array. n may be 0. Outputs are overwritten.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/least_work.h"
#include "kernels/base/host_device.h"

namespace diopter {

/// Logistic function; e^-|x| never overflows.
template <class T>
DIOPTER_HD T sigmoid(T x) {
  const T e = std::exp(x < T(0) ? x : -x);
  return x < T(0) ? e / (T(1) + e) : T(1) / (T(1) + e);
}

}  // namespace diopter

DIOPTER_KERNEL(
  template <class T> void relu_forward(std::int64_t n, const T* x, T* y);
  template <class T> void relu_backward(std::int64_t n, const T* y, const T* dy, T* dx);
  template <class T> void sigmoid_forward(std::int64_t n, const T* x, T* y);
  template <class T> void sigmoid_backward(std::int64_t n, const T* y, const T* dy, T* dx);
  /// y = a + b
  template <class T> void add(std::int64_t n, const T* a, const T* b, T* y);
  /// y = factor[0] * x, the factor in device memory
  template <class T> void scale(std::int64_t n, const float* factor, const T* x, T* y);
  /// y = y + weight[0] * (x - y), the update of an exponential moving average; the weight in device memory
  void lerp(std::int64_t n, const float* weight, const float* x, float* y);
  template <class T> void fill(std::int64_t n, float value, T* y);
  template <class From, class To> void cast(std::int64_t n, const From* x, To* y))

namespace diopter::least_work {

template <class T> LeastWork relu_forward(std::int64_t n, const T*, const T*) { return passes<T>(2, n); }
template <class T> LeastWork relu_backward(std::int64_t n, const T*, const T*, const T*) { return passes<T>(3, n); }
template <class T> LeastWork sigmoid_forward(std::int64_t n, const T*, const T*) { return passes<T>(2, n); }
template <class T> LeastWork sigmoid_backward(std::int64_t n, const T*, const T*, const T*) { return passes<T>(3, n); }
template <class T> LeastWork add(std::int64_t n, const T*, const T*, const T*) { return passes<T>(3, n); }
template <class T> LeastWork scale(std::int64_t n, const float*, const T*, const T*) { return passes<T>(2, n); }
inline LeastWork lerp(std::int64_t n, const float*, const float*, const float*) { return passes<float>(3, n); }
template <class T> LeastWork fill(std::int64_t n, float, const T*) { return passes<T>(1, n); }
template <class From, class To> LeastWork cast(std::int64_t n, const From*, const To*) {
  return {.bytes = static_cast<double>(n) * (sizeof(From) + sizeof(To))};
}

}  // namespace diopter::least_work
