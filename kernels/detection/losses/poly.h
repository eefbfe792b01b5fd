// Poly-1 focal loss (Leng et al. 2022, "PolyLoss", Poly-1 of the focal loss), in logit space: the focal loss with
// another weight for the first term of its expansion in powers of 1 - p_t.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t,  a = positive ? alpha : 1 - alpha   (1 when alpha < 0)
//   L     = a q^gamma (s + epsilon q)
//   dL/dz = a q^gamma (gamma (1 - q) (s + epsilon q) + q + epsilon q (1 - q))     dL/dx = positive ? -dL/dz : dL/dz
//
// gamma = 0 without alpha is Poly-1 cross-entropy, epsilon = 0 the focal loss. The paper tunes epsilon for each task,
// from -1 on, which removes the first term, and states no default; 1 is what implementations usually start from.
#pragma once

#include "kernels/detection/exponent.h"
#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct PolyLoss {
  static constexpr const char* source = "Leng et al. 2022, Poly-1";

  float gamma = 2.0f;
  float alpha = 0.25f;
  float epsilon = 1.0f;

  static constexpr LossParameter<PolyLoss> parameters[] = {
      {"gamma", &PolyLoss::gamma, 0, 10, "how far well-classified examples are played down"},
      {"alpha", &PolyLoss::alpha, -1, 1, "weight of positives, 1 - alpha of negatives; below 0: no weights"},
      {"epsilon", &PolyLoss::epsilon, -1, 10, "added to the weight of the first term, (1 - p_t)^(gamma + 1)"}};

  DIOPTER_HD float exponent(bool) const { return gamma; }

  template <Exponent kExponent = Exponent::any, class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T q = l.sigmoid, g = T(exponent(positive)), e = T(epsilon);
    const T a = alpha < 0 ? T(1) : class_weight<T>(alpha, positive);
    const T w = a * power<kExponent>(l, g), terms = l.softplus + e * q;
    const T dz = w * ((g - g * q) * terms + q * ((T(1) + e) - e * q));
    return {w * terms, positive ? -dz : dz};
  }

  template <class F>
  void with_fast_version(const F& f) const {
    with_known_exponent(*this, f);
  }
};

}  // namespace diopter
