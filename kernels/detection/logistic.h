// Sigmoid, its logarithm and softplus from one exponential, for the pointwise losses.
//
//   e = exp(-|z|),  sigmoid(z) = (z < 0 ? e : 1) / (1 + e)
//   softplus(z) = log(1 + exp(z)) = max(z, 0) + log1p(e),  log sigmoid(z) = min(z, 0) - log1p(e)
//
// Neither overflows nor cancels. In float on the CPU both transcendental functions are short series without branches or
// calls (relative error below 4e-7), so that loops over logits vectorise. On the GPU exponential and reciprocals come
// from the special-function unit: three such operations in all, relative error below (|z| + 8) 2^-23. Other types take
// the functions of the standard library.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/base/host_device.h"

namespace diopter {

#if defined(__CUDA_ARCH__)
/// One operation of the special-function unit each; relative error at most 2^-22 and 2^-23, subnormals become 0.
__device__ inline float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline float fast_reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

/// a / b.
template <class T>
DIOPTER_HD inline T quotient(T a, T b) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<T, float>) return a * fast_reciprocal(b);
#endif
  return a / b;
}

/// exp(x) for x <= 0; 0 below x = -87 in float.
template <class T>
DIOPTER_HD inline T exp_negative(T x) {
  if constexpr (std::is_same_v<T, float>) {
#if defined(__CUDA_ARCH__)
    return fast_exp2(x * 1.44269504f);
#else
    // x = n log 2 + r with |r| <= log(2) / 2. Adding 1.5 * 2^23 leaves n in the low bits of `shifted`.
    const float magic = 12582912.0f, shifted = x * 1.44269504f + magic, n = shifted - magic;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // log 2 in two parts: the first product is exact
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    std::uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;  // 2^n for -126 <= n <= 0: what lay above n is shifted out
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return x < -87.0f ? 0.0f : p * power;
#endif
  } else {
    return std::exp(x);
  }
}

/// log(1 + e) for e in [0, 1].
template <class T>
DIOPTER_HD inline T log1p_unit(T e) {
  if constexpr (std::is_same_v<T, float>) {
    // 2 artanh(s) with s = e / (2 + e) <= 1/3: minimax polynomial in s^2, relative error below 5e-9
    const float s = quotient(e, 2.0f + e), t = s * s;
    float p = 0.280244586f;
    p = p * t + 0.279991411f;
    p = p * t + 0.400216991f;
    p = p * t + 0.666664131f;
    p = p * t + 2.0f;
    return s * p;
  } else {
    return std::log1p(e);
  }
}

template <class T>
struct Logistic {
  T sigmoid, log_sigmoid, softplus;
};

/// For any z; NaN gives NaN.
template <class T>
DIOPTER_HD inline Logistic<T> logistic(T z) {
  const T e = exp_negative(-std::fabs(z)), l = log1p_unit(e);
  return {quotient(z < T(0) ? e : T(1), T(1) + e), (z < T(0) ? z : T(0)) - l, (z < T(0) ? T(0) : z) + l};
}

}  // namespace diopter
