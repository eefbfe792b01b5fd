// Quality focal loss (Li et al. 2020, "Generalized Focal Loss", equation 2): the focal loss of a target y between 0 and
// 1, which at the positive logit is the IoU of the decoded box with the box that it is to become; 0 at negatives.
//
//   p = sigmoid(x),  c = -(1 - y) log(1 - p) - y log p = cross-entropy
//   L     = |y - p|^beta c
//   dL/dx = |y - p|^beta (beta sign(p - y) p (1 - p) c / |y - p| + p - y)
//
// y is 1 where nothing else is said: then, and at negatives, it is the focal loss without alpha (focal.h).
#pragma once

#include <cmath>

#include "kernels/detection/logistic.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct QualityFocalLoss {
  static constexpr const char* source = "Li et al. 2020, equation 2";

  float beta = 2.0f;

  static constexpr LossParameter<QualityFocalLoss> parameters[] = {
      {"beta", &QualityFocalLoss::beta, 0, 10, "how far logits close to their target are played down"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    return FocalLoss{beta, -1}(x, positive, logistic);
  }

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> with_quality(T x, T y, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(x);
    const SoftCrossEntropy<T> c(l, y);
    const T off = std::fabs(c.derivative), b = T(beta);         // |y - p|
    if (off <= T(0)) return {b > T(0) ? T(0) : c.value, T(0)};  // not taken by NaN

    const T w = exp_negative(b * std::log(off));
    const T slope = b * l.sigmoid * c.not_p * quotient(c.value, off);
    return {w * c.value, w * (c.derivative + (c.derivative < T(0) ? -slope : slope))};
  }
};

}  // namespace diopter
