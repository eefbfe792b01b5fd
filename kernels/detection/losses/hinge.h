// Hinge loss on p_t, which is 0 above a certain p_t (Lin et al. 2017, section 5.1, which gives no formula).
//
//   L     = max(0, margin - p_t)
//   dL/dz = p_t < margin ? p_t (1 - p_t) : 0,   z = positive ? -x : x      dL/dx = positive ? -dL/dz : dL/dz
// with p_t = exp(-softplus(z)) and 1 - p_t = sigmoid(z), both accurate where they are small.
//
// The gradient also vanishes where p_t is near 0: what is badly wrong stays so. The paper found training with it
// unstable.
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct HingeLoss {
  static constexpr const char* source = "Lin et al. 2017, section 5.1";

  float margin = 0.5f;

  static constexpr LossParameter<HingeLoss> parameters[] = {
      {"margin", &HingeLoss::margin, 0.01f, 1, "p_t from which the loss is 0"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    const T p = exp_negative(-l.softplus), value = T(margin) - p;
    const T dz = value < T(0) ? T(0) : p * l.sigmoid;  // NaN is not < 0 and stays
    return {value < T(0) ? T(0) : value, positive ? -dz : dz};
  }
};

}  // namespace diopter
