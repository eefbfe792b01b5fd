// Focal loss star (Lin et al. 2017, appendix A, equations 7 and 8; derivative: appendix B, equation 11), in logit
// space.
//
//   p*_t = sigmoid(gamma x_t + beta),  x_t = positive ? x : -x
//   L    = -a log(p*_t) / gamma,       a = positive ? alpha : 1 - alpha
// With the logit of being wrong, z = -x_t, and u = gamma z - beta:
//   L     = a softplus(u) / gamma
//   dL/dz = a sigmoid(u) = a (1 - p*_t)    dL/dx = positive ? -dL/dz : dL/dz
//
// Convex in x: d2L/dz2 = a gamma p*_t (1 - p*_t) >= 0. gamma = 1 with beta = 0 is balanced cross-entropy.
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct FocalStarLoss {
  static constexpr const char* source = "Lin et al. 2017, equation 8";

  float gamma = 2.0f;  // with beta 1: the first of table 3
  float beta = 1.0f;
  float alpha = 0.25f;

  static constexpr LossParameter<FocalStarLoss> parameters[] = {
      {"gamma", &FocalStarLoss::gamma, 0.1f, 10, "steepness"},
      {"beta", &FocalStarLoss::beta, -10, 10, "shift: the larger, the less easy examples count"},
      {"alpha", &FocalStarLoss::alpha, 0, 1, "weight of positives, 1 - alpha of negatives"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const Logistic<T> l = logistic(T(gamma) * (positive ? -x : x) - T(beta));
    const T a = class_weight<T>(alpha, positive), dz = a * l.sigmoid;
    return {quotient(a * l.softplus, T(gamma)), positive ? -dz : dz};
  }
};

}  // namespace diopter
