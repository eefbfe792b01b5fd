// Sigmoid focal loss (Lin et al. 2017, equation 5; derivative: appendix B, equation 10), in logit space.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t,  a = positive ? alpha : 1 - alpha   (1 when alpha < 0)
//   L     = a q^gamma s
//   dL/dz = a q^gamma (gamma (1 - q) s + q)          dL/dx = positive ? -dL/dz : dL/dz
//
// Finite for every gamma >= 0 and every finite x. gamma = 0 without alpha is binary cross-entropy, exactly.
#pragma once

#include "kernels/detection/exponent.h"
#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct FocalLoss {
  static constexpr const char* source = "Lin et al. 2017, equation 5";

  float gamma = 2.0f;
  float alpha = 0.25f;

  static constexpr LossParameter<FocalLoss> parameters[] = {
      {"gamma", &FocalLoss::gamma, 0, 10, "how far well-classified examples are played down"},
      {"alpha", &FocalLoss::alpha, -1, 1, "weight of positives, 1 - alpha of negatives; below 0: no weights"}};

  DIOPTER_HD float exponent(bool) const { return gamma; }

  /// Free of branches, so that loops vectorise. kExponent: what is known of the exponent (exponent.h).
  template <Exponent kExponent = Exponent::any, class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T q = l.sigmoid, s = l.softplus, g = T(exponent(positive));
    const T a = alpha < 0 ? T(1) : class_weight<T>(alpha, positive);
    const T w = a * power<kExponent>(l, g);
    const T dz = w * ((g - g * q) * s + q);
    return {w * s, positive ? -dz : dz};
  }

  template <class F>
  void with_fast_version(const F& f) const {
    with_known_exponent(*this, f);
  }
};

}  // namespace diopter
