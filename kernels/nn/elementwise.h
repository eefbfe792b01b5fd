// Elementwise operations on n values: activations, sums, casts. T is float or bf16, arithmetic is float.
//
//   relu(x) = max(x, 0)            dx = dy where y > 0, else 0
//   sigmoid(x) = 1 / (1 + e^-x)    dx = dy y (1 - y)
//
// A new activation is a struct like Relu, a name in Activation and a line of with_activation; both devices have it
// then. Inputs and outputs may be the same array. n may be 0. Outputs are overwritten.
//
// Start here: kernels/plain/elementwise.h
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

namespace diopter {

/// Logistic function; e^-|x| never overflows.
template <class T>
DIOPTER_HD T sigmoid(T x) {
  const T e = std::exp(x < T(0) ? x : -x);
  return x < T(0) ? e / (T(1) + e) : T(1) / (T(1) + e);
}

struct Relu {
  /// Written so that NaN stays NaN: a broken activation must not look healthy.
  DIOPTER_HD static float forward(float x) { return x < 0.0f ? 0.0f : x; }
  template <class T>
  DIOPTER_HD static T backward(float y, T dy) {
    return y > 0.0f ? dy : T(0.0f);
  }
};

struct Sigmoid {
  DIOPTER_HD static float forward(float x) { return sigmoid(x); }
  DIOPTER_HD static float backward(float y, float dy) { return dy * y * (1.0f - y); }
};

enum class Activation { relu, sigmoid };

/// Calls body(Relu{}) or the like.
template <class Body>
void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::relu: return body(Relu{});
    case Activation::sigmoid: return body(Sigmoid{});
  }
}

/// The point between two, weight 0 at the first and 1 at the second.
DIOPTER_HD inline float interpolate(float first, float second, float weight) {
  return first + weight * (second - first);
}

}  // namespace diopter

DIOPTER_KERNEL(
    template <class T> void activation_forward(Activation activation, std::int64_t n, const T* x, T* y);
    /// dx from y, the output of the forward pass
    template <class T> void activation_backward(Activation activation, std::int64_t n, const T* y, const T* dy, T* dx);
    /// y = a + b
    template <class T> void add(std::int64_t n, const T* a, const T* b, T* y);
    /// y = factor[0] * x, the factor in device memory
    template <class T> void scale(std::int64_t n, const float* factor, const T* x, T* y);
    /// y = interpolate(y, x, weight[0]), the update of an exponential moving average; the weight in device memory
    void lerp(std::int64_t n, const float* weight, const float* x, float* y);
    template <class T> void fill(std::int64_t n, float value, T* y);
    template <class From, class To> void cast(std::int64_t n, const From* x, To* y))

namespace diopter::least_work {

template <class T>
LeastWork activation_forward(Activation, std::int64_t n, const T*, const T*) {
  return passes<T>(2, n);
}
template <class T>
LeastWork activation_backward(Activation, std::int64_t n, const T*, const T*, const T*) {
  return passes<T>(3, n);
}
template <class T>
LeastWork add(std::int64_t n, const T*, const T*, const T*) {
  return passes<T>(3, n);
}
template <class T>
LeastWork scale(std::int64_t n, const float*, const T*, const T*) {
  return passes<T>(2, n);
}
inline LeastWork lerp(std::int64_t n, const float*, const float*, const float*) { return passes<float>(3, n); }
template <class T>
LeastWork fill(std::int64_t n, float, const T*) {
  return passes<T>(1, n);
}
template <class From, class To>
LeastWork cast(std::int64_t n, const From*, const To*) {
  return {.bytes = static_cast<double>(n) * (sizeof(From) + sizeof(To))};
}

}  // namespace diopter::least_work
