#include "retinanet/detection/hard_examples.h"

#include <algorithm>
#include <cmath>

#include "kernels/toolkit/dispatch.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/top_k.h"

namespace diopter {

HardExamples hard_examples(const Pyramid& logits, const Pyramid& deltas, int classes, const AnchorTargets& targets,
                           const AnyLoss& loss, const HardExampleRule& rule) {
  const AnchorGrid& grid = targets.grid;
  const Device device = targets.labels.device();
  const int images = targets.images(), cells = grid.cells, levels = grid.levels;
  const auto integers = [&](const Shape& shape) { return Tensor::empty(shape, DType::i32, device); };
  const auto floats = [&](const Shape& shape) { return Tensor::empty(shape, DType::f32, device); };

  const Pyramid scores{Variable(floats({logits.levels.rows(), cells})), logits.levels};
  with_dtype(logits.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, anchor_scores,
                     AnchorScoreArgs<T>{.logits = head_levels<T>(logits, Tensor(), cells, classes),
                                        .labels = targets.labels.data<std::int32_t>(),
                                        .scores = scores.rows.value().data<float>()},
                     loss);
  });

  std::int64_t largest = 1;
  for (int l = 0; l < levels; ++l) largest = std::max(largest, grid.level_size(l));
  const int k = static_cast<int>(std::min<std::int64_t>(rule.candidates, largest)), capacity = levels * k;
  const Tensor indices = integers({images, levels, k}), values = floats({images, levels, k}),
               counts = integers({images, levels});
  DIOPTER_DISPATCH(device, top_k,
                   TopKArgs<float>{.logits = head_levels<float>(scores, Tensor(), cells, 1), .min_logit = -INFINITY,
                                   .k = k, .indices = indices.data<std::int32_t>(), .values = values.data<float>(),
                                   .counts = counts.data<std::int32_t>()});

  const Tensor boxes = floats({images, capacity, 4}), ranking = floats({images, capacity}),
               labels = integers({images, capacity}), candidates = integers({images});
  with_dtype(deltas.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, decode_candidates,
                     DecodeArgs<T>{.grid = grid, .deltas = head_levels<T>(deltas, Tensor(), cells, 4), .classes = 1,
                                   .k = k, .indices = indices.data<std::int32_t>(), .values = values.data<float>(),
                                   .counts = counts.data<std::int32_t>(), .image_sizes = nullptr,
                                   .boxes = boxes.data<float>(), .scores = ranking.data<float>(),
                                   .labels = labels.data<std::int32_t>(), .candidates = candidates.data<std::int32_t>(),
                                   .sigmoid = false});
  });

  const int max_kept = hard_examples_kept(rule, capacity);
  const Tensor keep = integers({images, max_kept}), kept = integers({images});
  DIOPTER_DISPATCH(device, batched_nms,
                   NmsArgs{.images = images, .capacity = capacity, .boxes = boxes.data<float>(),
                           .scores = ranking.data<float>(), .labels = labels.data<std::int32_t>(),
                           .counts = candidates.data<std::int32_t>(), .iou_threshold = rule.nms_iou,
                           .class_aware = false, .max_kept = max_kept, .keep = keep.data<std::int32_t>(),
                           .kept = kept.data<std::int32_t>()});

  HardExamples result{targets, integers({images})};
  result.targets.labels = integers(targets.labels.shape());
  result.targets.positives = integers({images});
  DIOPTER_DISPATCH(device, select_hard_examples,
                   HardExampleArgs{.grid = grid, .images = images, .rule = rule,
                                   .labels = targets.labels.data<std::int32_t>(), .k = k,
                                   .indices = indices.data<std::int32_t>(), .counts = counts.data<std::int32_t>(),
                                   .max_kept = max_kept, .keep = keep.data<std::int32_t>(),
                                   .kept = kept.data<std::int32_t>(),
                                   .selected_labels = result.targets.labels.data<std::int32_t>(),
                                   .selected = result.selected.data<std::int32_t>(),
                                   .positives = result.targets.positives.data<std::int32_t>()});
  return result;
}

}  // namespace diopter
