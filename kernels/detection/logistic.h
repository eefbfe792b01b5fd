// Sigmoid, its logarithm and softplus from one exponential, for the pointwise losses.
//
//   e = exp(-|z|),  sigmoid(z) = (z < 0 ? e : 1) / (1 + e)
//   softplus(z) = log(1 + exp(z)) = max(z, 0) + log1p(e),  log sigmoid(z) = min(z, 0) - log1p(e)
//
// Neither overflows nor cancels. In float on the CPU both transcendental functions are short series without branches or
// calls (relative error below 4e-7), so that loops over logits vectorise. On the GPU exponential and reciprocals come
// from the special-function unit: three such operations in all, relative error below (|z| + 8) 2^-23. Other types take
// the functions of the standard library. GpuLogistic, below, makes do with two and 12 instructions.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/base/host_device.h"

namespace diopter {

/// Operations of a GPU's special-function unit: relative error at most 2^-22 and 2^-23, subnormals become 0. On the CPU
/// the functions of the standard library stand in.
struct SpecialFunctions {
  DIOPTER_HD static float exp2(float x) {
#if defined(__CUDA_ARCH__)
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return std::exp2(x);
#endif
  }
  DIOPTER_HD static float reciprocal(float x) {
#if defined(__CUDA_ARCH__)
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1.0f / x;
#endif
  }
};

/// a / b.
template <class T>
DIOPTER_HD inline T quotient(T a, T b) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<T, float>) return a * SpecialFunctions::reciprocal(b);
#endif
  return a / b;
}

/// exp(x) for x <= 0; 0 below x = -87 in float.
template <class T>
DIOPTER_HD inline T exp_negative(T x) {
  if constexpr (std::is_same_v<T, float>) {
#if defined(__CUDA_ARCH__)
    return SpecialFunctions::exp2(x * 1.44269504f);
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

/// Cross-entropy of the logit x, l = logistic(x), with a target y in [0, 1], without cancellation.
template <class T>
struct SoftCrossEntropy {
  T value, derivative;  // -y log p - (1 - y) log(1 - p), p - y
  T not_p;              // 1 - p

  DIOPTER_HD SoftCrossEntropy(const Logistic<T>& l, T y)
      : value((T(1) - y) * l.softplus - y * l.log_sigmoid), not_p(exp_negative(-l.softplus)) {
    derivative = (T(1) - y) * l.sigmoid - y * not_p;
  }
};

/// logistic as what a loss takes by default.
struct AccurateLogistic {
  template <class T>
  DIOPTER_HD Logistic<T> operator()(T z) const {
    return logistic(z);
  }
};

/// logistic in the fewest instructions of a GPU, for kernels over all logits: one exponential, one reciprocal, nothing
/// that depends on the sign of z.
///
///   q = 1 / (1 + exp(-z)) = sigmoid(z),  m = min(q, 1 - q) <= 1/2,  softplus(z) = max(z, 0) - log(1 - m)
///
/// -log(1 - m) = m P(m), P the minimax polynomial of degree 6 on [0, 1/2], relative error below 1e-6. Relative error of
/// sigmoid and softplus below (|z| + 8) 2^-23 + 1e-6; log_sigmoid, towards 0, is as accurate as 1 - q: 2^-24. For any
/// z: where the exponential overflows q is 0; NaN gives NaN.
template <class Unit = SpecialFunctions>
struct GpuLogistic {
  DIOPTER_HD Logistic<float> operator()(float z) const {
    const float q = Unit::reciprocal(1.0f + Unit::exp2(z * -1.44269504f));
    const float m = std::fmin(q, 1.0f - q);
    float p = 0.990582526f;
    p = p * m - 0.637922108f;
    p = p * m + 0.522745371f;
    p = p * m + 0.187532395f;
    p = p * m + 0.338910997f;
    p = p * m + 0.499816746f;
    p = p * m + 1.00000095f;
    return {q, std::fmin(z, 0.0f) - p * m, std::fmax(z, 0.0f) + p * m};
  }
};

}  // namespace diopter
