// Poly-1 cross-entropy (Leng et al. 2022, "PolyLoss"), in logit space: cross-entropy with another weight for the first
// term of its expansion in powers of 1 - p_t.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t
//   L     = s + epsilon q
//   dL/dz = q + epsilon q (1 - q)          dL/dx = positive ? -dL/dz : dL/dz
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct PolyLoss {
  static constexpr const char* source = "Leng et al. 2022, Poly-1";

  float epsilon = 1.0f;

  static constexpr LossParameter<PolyLoss> parameters[] = {
      {"epsilon", &PolyLoss::epsilon, -1, 10, "added to the weight of 1 - p_t"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T q = l.sigmoid, e = T(epsilon), dz = q + e * q * (T(1) - q);
    return {l.softplus + e * q, positive ? -dz : dz};
  }
};

}  // namespace diopter
