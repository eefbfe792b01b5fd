// Equalized focal loss (Li et al. 2022, "Equalized Focal Loss for Dense Long-Tailed Object Detection"): the focal loss
// (focal.h) with an exponent per class, larger by `more` for classes whose negatives have outweighed their positives.
//
//   L = (gamma + more) / gamma * focal loss with the exponent gamma + more
//   more = scale (1 - g),   g = what the class's positives have had of gradient over what its negatives had, at most 1
//
// The factor keeps the loss of hard logits. weighting/class_focusing.h has `more`, which is a constant in the backward
// pass and needs all steps before; of one logit by itself, and in the first step, this is the focal loss.
#pragma once

#include "kernels/detection/losses/focal.h"

namespace diopter {

struct EqualizedFocalLoss {
  static constexpr const char* source = "Li et al. 2022, equalized focal loss";

  float gamma = 2.0f;
  float alpha = 0.25f;
  float scale = 8.0f;
  float more = 0;  // of the logit's class: of_class

  static constexpr LossParameter<EqualizedFocalLoss> parameters[] = {
      {"gamma", &EqualizedFocalLoss::gamma, 0.1f, 10, "exponent of classes in balance"},
      {"alpha", &EqualizedFocalLoss::alpha, -1, 1, "weight of positives, 1 - alpha of negatives; below 0: no weights"},
      {"scale", &EqualizedFocalLoss::scale, 0, 20, "what the exponent of a class without positives gets in addition"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    const ValueAndDerivative<T> focal = FocalLoss{gamma + more, alpha}(x, positive, logistic);
    const T factor = (T(gamma) + T(more)) / T(gamma);
    return {factor * focal.value, factor * focal.derivative};
  }

  ClassFocusingRule class_focusing() const { return {scale}; }
  DIOPTER_HD EqualizedFocalLoss of_class(float more_of_class) const { return {gamma, alpha, scale, more_of_class}; }
};

}  // namespace diopter
