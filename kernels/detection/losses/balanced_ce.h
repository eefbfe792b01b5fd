// Alpha-balanced cross-entropy (Lin et al. 2017, equation 3), in logit space.
//
//   z = positive ? -x : x,     a = positive ? alpha : 1 - alpha
//   L     = a softplus(z) = -a log p_t
//   dL/dz = a sigmoid(z)  = a (1 - p_t)    dL/dx = positive ? -dL/dz : dL/dz
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct BalancedCeLoss {
  static constexpr const char* source = "Lin et al. 2017, equation 3";

  float alpha = 0.75f;  // the best of table 1a

  static constexpr LossParameter<BalancedCeLoss> parameters[] = {
      {"alpha", &BalancedCeLoss::alpha, 0, 1, "weight of positives, 1 - alpha of negatives"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T a = class_weight<T>(alpha, positive), dz = a * l.sigmoid;
    return {a * l.softplus, positive ? -dz : dz};
  }
};

}  // namespace diopter
