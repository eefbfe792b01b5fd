// Normalisation of the losses, the shortest way. What the devices run: kernels/detection/loss_scale.{h,cpp,cu}.
//
//   image: 1 / (max(1, positives of the image) images)      batch: 1 / max(1, positives of the batch)
//   ema: 1 / average, average = m average + (1 - m) max(1, positives of the batch)
//   guided_scale: box loss / classification loss, 0 where that is 0
#pragma once

#include <algorithm>
#include <numeric>

#include "kernels/detection/loss_scale.h"

namespace diopter::plain {

inline void loss_scale(const LossScaleArgs& args) {
  const int total = std::accumulate(args.positives, args.positives + args.images, 0), counted = std::max(1, total);
  const double m = static_cast<double>(args.momentum);
  *args.total = static_cast<float>(total);
  if (args.normaliser == LossNormaliser::ema) {
    *args.average = static_cast<float>(m * static_cast<double>(*args.average) + (1 - m) * counted);
  }
  for (int i = 0; i < args.images; ++i) {
    switch (args.normaliser) {
      case LossNormaliser::image:
        args.scale[i] = static_cast<float>(1.0 / (std::max(1, args.positives[i]) * args.images));
        break;
      case LossNormaliser::batch: args.scale[i] = static_cast<float>(1.0 / counted); break;
      case LossNormaliser::ema: args.scale[i] = static_cast<float>(1 / static_cast<double>(*args.average)); break;
    }
  }
}

inline void guided_scale(const GuidedScaleArgs& args) {
  *args.factor = *args.classification > 0 ? *args.box / *args.classification : 0;
}

}  // namespace diopter::plain
