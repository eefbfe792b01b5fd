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
// Start here: kernels/plain/loss_scale.h
#pragma once

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

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

DIOPTER_KERNEL(void loss_scale(const LossScaleArgs& args); void guided_scale(const GuidedScaleArgs& args))

namespace diopter::least_work {

inline LeastWork loss_scale(const LossScaleArgs& args) { return passes<float>(2, args.images); }
inline LeastWork guided_scale(const GuidedScaleArgs&) { return passes<float>(3, 1); }

}  // namespace diopter::least_work
