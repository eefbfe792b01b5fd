// Scale of the sum of losses of each image, from the number of its positive anchors:
//
//   image: 1 / (max(1, positives of the image) * images)                               torchvision
//   batch: 1 / max(1, positives of the batch)                                          Lin et al. 2017
//   ema:   1 / average, average = m average + (1 - m) max(1, positives of the batch)   Detectron2
//
// Counts, average and result stay in device memory, so that nobody waits for the matching.
//
// guided_scale: the factor that gives the classification loss the value of the box loss (Chen et al. 2019, "Is Sampling
// Heuristics Necessary in Training Deep Object Detectors?", guided loss scaling): box / classification. 0 where the
// classification loss is 0 and where the box loss is, as in a batch without positives.
//
// density_weights: weights of logits by the density of their gradients (Li et al. 2019, GHM-C). gradient_histogram
// counts the logits of the batch in bins of |dL/dx|; of the bins with count > 0, n of them,
//   average = m average + (1 - m) count,    weight = 1 / (n average)
// and weight 0 and the average as it was elsewhere. The sum of weighted losses is the loss of the batch: it needs no
// other normaliser.
//
// Start here: kernels/plain/loss_scale.h
#pragma once

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/detection/head.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

enum class LossNormaliser { image, batch, ema };

struct LossScaleArgs {
  LossNormaliser normaliser;
  float momentum;  // m
  int images;
  const std::int32_t* positives;  // [images]
  float* average;                 // [1], updated by ema, else unused
  float* scale;                   // [images], overwritten
  float* total;                   // [1], positives of the batch, overwritten
};

template <class T>
struct GradientHistogramArgs {
  HeadLevels<T> logits;        // channels = classes; gradient is not used; below 2^31 logits in all
  const std::int32_t* labels;  // [images, logits.anchors()]: class, kBackground or kIgnore
  std::int32_t* counts;        // [bins of the loss's rule], overwritten: logits of anchors that are not ignored
};

struct DensityWeightsArgs {
  GradientDensityRule rule;
  const std::int32_t* counts;  // [rule.bins]
  float* averages;             // [rule.bins], updated; 0 before the first step
  float* weights;              // [rule.bins], overwritten
};

DIOPTER_HD inline void compute_density_weights(const DensityWeightsArgs& args) {
  int found = 0;
  for (int b = 0; b < args.rule.bins; ++b) found += args.counts[b] > 0;
  const double m = static_cast<double>(args.rule.momentum);
  for (int b = 0; b < args.rule.bins; ++b) {
    args.weights[b] = 0;
    if (args.counts[b] == 0) continue;
    args.averages[b] = static_cast<float>(m * static_cast<double>(args.averages[b]) + (1 - m) * args.counts[b]);
    args.weights[b] = static_cast<float>(1 / (found * static_cast<double>(args.averages[b])));
  }
}

struct GuidedScaleArgs {
  const float *classification, *box;  // [1] each, not negative
  float* factor;                      // [1], overwritten
};

/// What is not finite shows in factor * classification loss: NaN passes, and 0 * infinity is NaN.
DIOPTER_HD inline void compute_guided_scale(const GuidedScaleArgs& args) {
  const float classification = *args.classification, box = *args.box;
  *args.factor = classification <= 0.0f ? box * 0.0f : box / classification;
}

DIOPTER_HD inline void compute_loss_scale(const LossScaleArgs& args) {
  const auto at_least_one = [](std::int64_t n) { return static_cast<double>(n > 1 ? n : 1); };
  std::int64_t total = 0;
  for (int i = 0; i < args.images; ++i) total += args.positives[i];
  *args.total = static_cast<float>(total);
  double divisor = at_least_one(total);
  if (args.normaliser == LossNormaliser::ema) {
    const double m = static_cast<double>(args.momentum);
    *args.average = static_cast<float>(m * static_cast<double>(*args.average) + (1 - m) * divisor);
    divisor = static_cast<double>(*args.average);
  }
  for (int i = 0; i < args.images; ++i) {
    if (args.normaliser == LossNormaliser::image) divisor = at_least_one(args.positives[i]) * args.images;
    args.scale[i] = static_cast<float>(1 / divisor);
  }
}

}  // namespace diopter

DIOPTER_KERNEL(void loss_scale(const LossScaleArgs& args); void guided_scale(const GuidedScaleArgs& args);
               /// Throws Error for a loss that does not weigh by density.
               template <class T> void gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss& loss);
               void density_weights(const DensityWeightsArgs& args))

namespace diopter::least_work {

inline LeastWork loss_scale(const LossScaleArgs& args) { return passes<float>(2, args.images); }
inline LeastWork guided_scale(const GuidedScaleArgs&) { return passes<float>(3, 1); }
/// Logits and labels are read.
template <class T>
LeastWork gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss&) {
  const std::int64_t anchors = args.logits.images * args.logits.anchors();
  return {.bytes = passes<T>(1, anchors * args.logits.channels).bytes + passes<std::int32_t>(1, anchors).bytes};
}
inline LeastWork density_weights(const DensityWeightsArgs& args) { return passes<float>(4, args.rule.bins); }

}  // namespace diopter::least_work
