// Sigmoid focal loss (Lin et al. 2017, equation 5; derivative: appendix B, equation 10), in logit space.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t,  a = positive ? alpha : 1 - alpha   (1 when alpha < 0)
//   L     = a q^gamma s
//   dL/dz = a q^gamma (gamma (1 - q) s + q)          dL/dx = positive ? -dL/dz : dL/dz
//
// Finite for every gamma >= 0 and every finite x. gamma = 0 without alpha is binary cross-entropy, exactly.
#pragma once

#include <cmath>

#include "kernels/common/host_device.h"

namespace diopter {

template <class T>
struct ValueAndDerivative {
  T value, derivative;
};

struct FocalLoss {
  float gamma = 2.0f;
  float alpha = 0.25f;  // weight of positives, 1 - alpha of negatives; negative: no weighting

  static constexpr const char* name = "focal";

  /// Loss of one logit and its derivative with respect to the logit.
  template <class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    const T z = positive ? -x : x;
    const T e = std::exp(z < T(0) ? z : -z);  // in (0, 1]
    const T q = (z < T(0) ? e : T(1)) / (T(1) + e);
    const T s = (z < T(0) ? T(0) : z) + std::log1p(e);
    const T a = alpha < 0 ? T(1) : positive ? T(alpha) : T(1) - T(alpha);
    const T w = a * power(q, z - s);  // log q = z - s
    const T dz = w * (T(gamma) * (T(1) - q) * s + q);
    return {w * s, positive ? -dz : dz};
  }

 private:
  /// q^gamma from q and log q; the common exponents without transcendental functions.
  template <class T>
  DIOPTER_HD T power(T q, T log_q) const {
    if (gamma == 2.0f) return q * q;
    if (gamma == 1.0f) return q;
    if (gamma == 0.0f) return T(1);
    return std::exp(T(gamma) * log_q);
  }
};

}  // namespace diopter
