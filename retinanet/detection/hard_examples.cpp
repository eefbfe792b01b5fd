#include "retinanet/detection/hard_examples.h"

#include <algorithm>
#include <cmath>

#include "kernels/toolkit/dispatch.h"
#include "retinanet/detection/candidates.h"

namespace diopter {

HardExamples hard_examples(const Pyramid& logits, const Pyramid& deltas, int classes, const AnchorTargets& targets,
                           const AnyLoss& loss, const HardExampleRule& rule, const Tensor& class_weights) {
  const AnchorGrid& grid = targets.grid;
  const Device device = targets.labels.device();
  const int images = targets.images(), cells = grid.cells;
  const auto integers = [&](const Shape& shape) { return Tensor::empty(shape, DType::i32, device); };

  const Pyramid scores{Variable(Tensor::empty({logits.levels.rows(), cells}, DType::f32, device)), logits.levels};
  with_dtype(logits.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(
        device, anchor_scores,
        AnchorScoreArgs<T>{.logits = head_levels<T>(logits, Tensor(), cells, classes),
                           .labels = targets.labels.data<std::int32_t>(),
                           .scores = scores.rows.value().data<float>(),
                           .class_weights = class_weights.defined() ? class_weights.data<float>() : nullptr},
        loss);
  });

  std::int64_t largest = 1;
  for (int l = 0; l < grid.levels; ++l) largest = std::max(largest, grid.level_size(l));
  const int k = static_cast<int>(std::min<std::int64_t>(rule.candidates, largest));
  const int max_kept = hard_examples_kept(rule, grid.levels * k);
  const Candidates found = find_candidates({.min_value = -INFINITY,
                                            .top_k = k,
                                            .sigmoid = false,
                                            .nms_iou = rule.nms_iou,
                                            .class_aware = false,
                                            .max_kept = max_kept},
                                           grid, 1, scores, deltas);

  HardExamples result{targets, integers({images})};
  result.targets.labels = integers(targets.labels.shape());
  result.targets.positives = integers({images});
  DIOPTER_DISPATCH(device, select_hard_examples,
                   HardExampleArgs{.grid = grid,
                                   .images = images,
                                   .rule = rule,
                                   .labels = targets.labels.data<std::int32_t>(),
                                   .k = k,
                                   .indices = found.indices.data<std::int32_t>(),
                                   .counts = found.counts.data<std::int32_t>(),
                                   .max_kept = max_kept,
                                   .keep = found.keep.data<std::int32_t>(),
                                   .kept = found.kept.data<std::int32_t>(),
                                   .selected_labels = result.targets.labels.data<std::int32_t>(),
                                   .selected = result.selected.data<std::int32_t>(),
                                   .positives = result.targets.positives.data<std::int32_t>()});
  return result;
}

}  // namespace diopter
