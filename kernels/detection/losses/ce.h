// Binary cross-entropy of every class (Lin et al. 2017, equation 1; derivative: appendix B, equation 9), in logit
// space.
//
//   z = positive ? -x : x      logit of being wrong
//   L     = softplus(z) = -log p_t
//   dL/dz = sigmoid(z)  = 1 - p_t          dL/dx = positive ? -dL/dz : dL/dz
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct CeLoss {
  static constexpr const char* source = "Lin et al. 2017, equation 1";

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    return {l.softplus, positive ? -l.sigmoid : l.sigmoid};
  }
};

}  // namespace diopter
