// Weights by the density of gradients, the shortest way. What the devices run:
// kernels/detection/weighting/gradient_density.{h,cpp,cu}.
//
//   gradient_histogram: counts of |dL/dx| in bins of equal width
//   density_weights: 1 / (bins that are not empty * moving average of the bin's count)
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/weighting/gradient_density.h"

namespace diopter::plain {

/// Counts of |dL/dx| in bins of equal width, the last one with 1.
template <class T>
void gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss& loss) {
  const HeadLevels<T>& heads = args.logits;
  const int bins = gradient_density_rule(loss)->bins;
  std::fill_n(args.counts, bins, 0);
  const std::int32_t* label = args.labels;
  for (int image = 0; image < heads.images; ++image) {
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      for (std::int64_t anchor = 0; anchor < level.pixels * heads.cells; ++anchor, ++label) {
        const T* logits = level.values + heads.offset(l, image, anchor);
        for (int k = 0; k < heads.channels && *label != kIgnore; ++k) {
          const double g = std::fabs(loss_at(loss, static_cast<float>(logits[k]), k == *label).derivative);
          ++args.counts[std::min(static_cast<int>(g * bins), bins - 1)];
        }
      }
    }
  }
}

inline void density_weights(const DensityWeightsArgs& args) {
  const auto found = std::count_if(args.counts, args.counts + args.rule.bins, [](int count) { return count > 0; });
  const double m{args.rule.momentum};
  for (int b = 0; b < args.rule.bins; ++b) {
    const double average = m * double{args.averages[b]} + (1 - m) * args.counts[b];
    if (args.counts[b] > 0) args.averages[b] = static_cast<float>(average);
    args.weights[b] = args.counts[b] > 0 ? static_cast<float>(1 / (static_cast<double>(found) * average)) : 0;
  }
}

}  // namespace diopter::plain
