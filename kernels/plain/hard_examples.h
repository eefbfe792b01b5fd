// Hard examples, the shortest way: scores in double, and the selection as the rule is written. The fast versions:
// kernels/detection/hard_examples.{h,cpp,cu}.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/box.h"
#include "kernels/detection/hard_examples.h"

namespace diopter::plain {

/// log(sum over classes k of loss(x, k == label)), weighted by class at k == label; -infinity for ignored anchors.
template <class T>
void anchor_scores(const AnchorScoreArgs<T>& args, const AnyLoss& loss) {
  const HeadLevels<T>& heads = args.logits;
  float* score = args.scores;
  std::int64_t before = 0;  // anchors of an image in the levels before
  for (int l = 0; l < heads.count; ++l) {
    const std::int64_t anchors = heads.level[l].pixels * heads.cells;
    for (std::int64_t i = 0; i < heads.images * anchors; ++i) {
      const std::int64_t image = i / anchors, anchor = i % anchors;
      const std::int32_t label = args.labels[image * heads.anchors() + before + anchor];
      const T* logits = heads.level[l].values + heads.offset(l, image, anchor);
      double sum = 0;
      for (int k = 0; k < heads.channels && label != kIgnore; ++k) {
        const double weight{k == label && args.class_weights ? args.class_weights[k] : 1.0f};
        sum += weight * loss_at(loss, static_cast<float>(logits[k]), k == label).value;
      }
      *score++ = static_cast<float>(std::log(sum));
    }
    before += anchors;
  }
}

/// The first positives and negatives of the survivors, as many as the rule says.
inline void select_hard_examples(const HardExampleArgs& args) {
  const AnchorGrid& grid = args.grid;
  std::fill_n(args.selected_labels, args.images * grid.size(), kIgnore);
  for (int image = 0; image < args.images; ++image) {
    const std::int32_t* labels = args.labels + image * grid.size();
    std::vector<std::int64_t> candidates, positives, negatives;  // anchors
    for (int l = 0; l < grid.levels; ++l) {
      const std::int64_t first = std::int64_t{image} * grid.levels + l;
      for (int i = 0; i < args.counts[first]; ++i) {
        candidates.push_back(grid.level_offset(l) + args.indices[first * args.k + i]);
      }
    }
    for (int i = 0; i < args.kept[image]; ++i) {
      const std::int64_t anchor = candidates[args.keep[std::int64_t{image} * args.max_kept + i]];
      (labels[anchor] >= 0 ? positives : negatives).push_back(anchor);
    }
    if (const std::size_t ratio = args.rule.negatives_per_positive; ratio > 0) {
      positives.resize(std::min(positives.size(), args.rule.batch / (1 + ratio)));
      negatives.resize(std::min(negatives.size(), ratio * std::max<std::size_t>(positives.size(), 1)));
    }
    for (const std::int64_t anchor : positives) args.selected_labels[image * grid.size() + anchor] = labels[anchor];
    for (const std::int64_t anchor : negatives) args.selected_labels[image * grid.size() + anchor] = labels[anchor];
    args.selected[image] = static_cast<std::int32_t>(positives.size() + negatives.size());
    args.positives[image] = static_cast<std::int32_t>(positives.size());
  }
}

}  // namespace diopter::plain
