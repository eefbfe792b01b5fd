// Exponents of classes by the gradients that they had, the shortest way. What the devices run:
// kernels/detection/weighting/class_focusing.{h,cpp,cu}.
//
//   class_gradients: sums of |gradient| of each class's positives, and of its negatives
//   class_focusing: most * (1 - positives / negatives), 0 where the positives have as much or more
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/detection/weighting/class_focusing.h"

namespace diopter::plain {

/// sums [2, classes]: of positives, of negatives; is made.
template <class T>
void class_gradients(const ClassGradientsArgs<T>& args, std::vector<double>& sums) {
  const HeadLevels<T>& heads = args.gradients;
  sums.assign(2 * static_cast<std::size_t>(heads.channels), 0);
  const std::int32_t* label = args.labels;
  for (int image = 0; image < heads.images; ++image) {
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      for (std::int64_t anchor = 0; anchor < level.pixels * heads.cells; ++anchor, ++label) {
        const T* row = level.gradient + heads.offset(l, image, anchor);
        for (int k = 0; k < heads.channels; ++k) {
          const double size{std::fabs(static_cast<float>(row[k]))};
          sums[k == *label ? k : heads.channels + k] += size;
        }
      }
    }
  }
}

inline void class_focusing(const ClassFocusingArgs& args) {
  for (int k = 0; k < args.classes; ++k) {
    const float negatives = args.sums[args.classes + k];
    const float ratio = negatives > 0 ? std::min(1.0f, args.sums[k] / negatives) : 1.0f;
    args.more[k] = args.rule.most * (1 - ratio);
  }
}

}  // namespace diopter::plain
