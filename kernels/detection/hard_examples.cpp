#include "kernels/detection/hard_examples.h"

#include <algorithm>
#include <cmath>

#include "kernels/detection/head_cut.h"
#include "kernels/detection/loss_functions.h"

namespace diopter::cpu {

template <class T>
void anchor_scores(const AnchorScoreArgs<T>& args, const AnyLoss& any_loss) {
  constexpr std::int64_t kChunk = 1 << 13;  // logits
  const LossFunctions loss = cpu::loss_functions(any_loss);
  const HeadLevels<T>& heads = args.logits;
  const std::int64_t anchors = heads.anchors();
  std::int64_t level_start[kMaxLevels] = {};
  for (int l = 0; l + 1 < heads.count; ++l) {
    level_start[l + 1] = level_start[l] + heads.images * heads.level[l].pixels * heads.cells;
  }
  const std::vector<HeadChunk> chunks = head_chunks(heads, kChunk);
  parallel_for(static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t i, std::int64_t) {
    const HeadChunk& chunk = chunks[i];
    const HeadLevel<T>& level = heads.level[chunk.level];
    const std::int32_t* labels = args.labels + chunk.image * anchors + chunk.anchor;
    const std::int64_t pixel = chunk.image * level.pixels + chunk.pixel;
    const T* x = level.values + pixel * level.pixel_stride;
    float* scores = args.scores + level_start[chunk.level] + pixel * heads.cells;
    for (std::int64_t a = 0; a < chunk.pixels * heads.cells; ++a) {
      const T* row = x + a / heads.cells * level.pixel_stride + a % heads.cells * heads.channels;
      double sum = 0;
      loss.add_anchor<T>(sum, row, nullptr, labels[a], {1, args.class_weights}, heads.channels, 0);
      scores[a] = std::isnan(sum) ? INFINITY : static_cast<float>(std::log(sum));
    }
  });
}

void select_hard_examples(const HardExampleArgs& args) {
  const std::int64_t anchors = args.grid.size();
  parallel_for(args.images, 1, [&](std::int64_t n, std::int64_t) {
    const int image = static_cast<int>(n), kept = args.kept[image];
    const std::int32_t* labels = args.labels + image * anchors;
    std::int32_t* selected = args.selected_labels + image * anchors;
    const auto anchor = [&](int rank) {
      return anchor_of_candidate(args, image, args.keep[std::int64_t{image} * args.max_kept + rank]);
    };
    int survivors = 0;  // positive ones
    for (int rank = 0; rank < kept; ++rank) survivors += labels[anchor(rank)] >= 0;
    const HardExampleQuota quota = hard_example_quota(args.rule, survivors);
    std::fill_n(selected, anchors, kIgnore);
    int positives = 0, negatives = 0;
    for (int rank = 0; rank < kept; ++rank) {
      const std::int64_t a = anchor(rank);
      const bool positive = labels[a] >= 0;
      if (positive ? positives == quota.positives : negatives == quota.negatives) continue;
      selected[a] = labels[a];
      (positive ? positives : negatives) += 1;
    }
    args.selected[image] = positives + negatives;
    args.positives[image] = positives;
  });
}

template void anchor_scores(const AnchorScoreArgs<float>&, const AnyLoss&);
template void anchor_scores(const AnchorScoreArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cpu
