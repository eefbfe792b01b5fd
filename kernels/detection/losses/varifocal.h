// Varifocal loss (Zhang et al. 2021, "VarifocalNet", equation 2): the positive logit learns a target y, the IoU of the
// decoded box with the box that it is to become, weighted by it; negatives have the focal loss.
//
//   p = sigmoid(x)
//   y > 0   L = -y (y log p + (1 - y) log(1 - p)),     dL/dx = y (p - y)
//   y = 0   L = -alpha p^gamma log(1 - p)              negatives: as focal.h, weighted by alpha
//
// y is 1 where nothing else is said: cross-entropy.
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct VarifocalLoss {
  static constexpr const char* source = "Zhang et al. 2021, equation 2";

  float gamma = 2.0f;
  float alpha = 0.75f;

  static constexpr LossParameter<VarifocalLoss> parameters[] = {
      {"gamma", &VarifocalLoss::gamma, 0, 10, "how far easy negatives are played down"},
      {"alpha", &VarifocalLoss::alpha, 0, 1, "weight of negatives"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    return with_quality(x, positive ? T(1) : T(0), logistic);
  }

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> with_quality(T x, T y, LogisticOf logistic = {}) const {
    if (y <= T(0)) {
      const ValueAndDerivative<T> focal = FocalLoss{gamma, -1}(x, false, logistic);
      return {T(alpha) * focal.value, T(alpha) * focal.derivative};
    }
    const SoftCrossEntropy<T> c(logistic(x), y);
    return {y * c.value, y * c.derivative};
  }
};

}  // namespace diopter
