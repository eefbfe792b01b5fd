// Scale of the sum of losses of each image, from the number of its positive anchors:
//
//   image: 1 / (max(1, positives of the image) * images)                               torchvision
//   batch: 1 / max(1, positives of the batch)                                          Lin et al. 2017
//   ema:   1 / average, average = m average + (1 - m) max(1, positives of the batch)   Detectron2
//
// Counts, average and result stay in device memory, so that nobody waits for the matching.
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

DIOPTER_KERNEL(void loss_scale(const LossScaleArgs& args))

namespace diopter::least_work {

inline LeastWork loss_scale(const LossScaleArgs& args) { return passes<float>(2, args.images); }

}  // namespace diopter::least_work
