// Generalised cross-entropy (Zhang and Sabuncu 2018, equation 6), in logit space: between cross-entropy, towards k = 0,
// and the absolute error 1 - p_t, at k = 1, which wrong labels disturb less.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t
//   L     = (1 - p_t^k) / k = (1 - exp(-k s)) / k
//   dL/dz = exp(-k s) q                    dL/dx = positive ? -dL/dz : dL/dz
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct GceLoss {
  static constexpr const char* source = "Zhang and Sabuncu 2018, equation 6";

  float k = 0.7f;

  static constexpr LossParameter<GceLoss> parameters[] = {
      {"k", &GceLoss::k, 0.1f, 1, "0: cross-entropy, 1: absolute error"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T right = exp_negative(-T(k) * l.softplus), dz = right * l.sigmoid;
    return {(T(1) - right) / T(k), positive ? -dz : dz};
  }
};

}  // namespace diopter
