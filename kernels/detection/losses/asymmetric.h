// Asymmetric loss (Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification", equations 4 to 7): the focal
// loss with an exponent of its own for negatives, whose probability is shifted down so that easy ones count nothing.
//
//   positives  L = -(1 - p)^gamma_positive log p,      p = sigmoid(x)
//   negatives  L = -u^gamma_negative log(1 - u),       u = max(p - shift, 0)
//              dL/dx = u^gamma_negative p (1 - p) (-gamma_negative log(1 - u) / u + 1 / (1 - u)),  0 where p <= shift
//
// Without a shift both are the focal loss without alpha (focal.h).
#pragma once

#include <cmath>

#include "kernels/detection/logistic.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct AsymmetricLoss {
  static constexpr const char* source = "Ridnik et al. 2021, equation 7";

  float gamma_positive = 0.0f;
  float gamma_negative = 4.0f;
  float shift = 0.05f;

  static constexpr LossParameter<AsymmetricLoss> parameters[] = {
      {"gamma_positive", &AsymmetricLoss::gamma_positive, 0, 10, "how far easy positives are played down"},
      {"gamma_negative", &AsymmetricLoss::gamma_negative, 0, 10, "how far easy negatives are played down"},
      {"shift", &AsymmetricLoss::shift, 0, 0.5f, "probability up to which negatives count nothing"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const float gamma = positive ? gamma_positive : gamma_negative;
    if (positive || shift == 0.0f) return FocalLoss{gamma, -1}(x, positive, logistic);
    const Logistic<T> l = logistic(x);
    const T p = l.sigmoid, m = T(shift), g = T(gamma);
    if (p <= m) return {T(0), T(0)};  // not taken by NaN

    const T u = p - m, not_p = exp_negative(-l.softplus), not_u = not_p + m;  // 1 - p without cancellation
    const T s = -std::log(not_u), w = exp_negative(g * std::log(u));
    return {w * s, w * p * not_p * (quotient(g * s, u) + quotient(T(1), not_u))};
  }
};

}  // namespace diopter
