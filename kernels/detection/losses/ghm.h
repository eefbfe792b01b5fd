// Gradient harmonising mechanism for classification, GHM-C (Li et al. 2019, "Gradient Harmonized Single-stage
// Detector"): cross-entropy (ce.h), each logit divided by how many logits of the step have a gradient norm like its
// own.
//
//   g = |sigmoid(x) - y| = |dL/dx|, in `bins` equal bins of [0, 1];   loss = sum of w(bin of g) L(x)
//
// What is common, the mass of easy negatives and outliers alike, weighs little. gradient_density.h has the weights w,
// which are constants in the backward pass and need all logits of a step; of one logit by itself this is cross-entropy.
#pragma once

#include "kernels/detection/losses/ce.h"

namespace diopter {

struct GhmLoss {
  static constexpr const char* source = "Li et al. 2019, GHM-C";

  float bins = 30;
  float momentum = 0.75f;

  static constexpr LossParameter<GhmLoss> parameters[] = {
      {"bins", &GhmLoss::bins, 1, kMostDensityBins, "bins of the gradient norm", true},
      {"momentum", &GhmLoss::momentum, 0, 0.999f,
       "of the moving average of the logits in a bin; 0: of this step only"}};

  template <class T, class LogisticOf = AccurateLogistic>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
    return CeLoss{}(x, positive, logistic);
  }

  GradientDensityRule gradient_density() const { return {static_cast<int>(bins), momentum}; }
};

}  // namespace diopter
