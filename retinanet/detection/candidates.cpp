#include "retinanet/detection/candidates.h"

#include <algorithm>

#include "kernels/detection/candidates/top_k.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/detection/losses.h"

namespace diopter {

namespace {

/// Values of one picture on the level that has the most: no more candidates of it are to be had.
std::int64_t most_of_a_level(const Pyramid& values) {
  std::int64_t rows = 0;
  for (int l = 0; l < values.levels.count; ++l) {
    rows = std::max(rows, std::int64_t{values.levels.level[l].h} * values.levels.level[l].w);
  }
  return rows * values.channels();
}

}  // namespace

Candidates find_candidates(const CandidateRule& rule, const AnchorGrid& grid, int classes, const Pyramid& values,
                           const Pyramid& deltas, const Tensor& image_sizes) {
  const Device device = values.rows.value().device();
  const int images = values.levels.level[0].n, levels = grid.levels;
  const int k = static_cast<int>(std::min<std::int64_t>(rule.top_k, most_of_a_level(values)));
  const int capacity = levels * k;
  const auto integers = [&](const Shape& shape) { return Tensor::empty(shape, DType::i32, device); };
  const auto floats = [&](const Shape& shape) { return Tensor::empty(shape, DType::f32, device); };
  Candidates found;

  found.indices = integers({images, levels, k});
  found.counts = integers({images, levels});
  const Tensor best = floats({images, levels, k});
  with_dtype(values.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, top_k,
                     TopKArgs<T>{.logits = head_levels<T>(values, Tensor(), grid.cells, classes),
                                 .min_logit = rule.min_value,
                                 .k = k,
                                 .indices = found.indices.data<std::int32_t>(),
                                 .values = best.data<float>(),
                                 .counts = found.counts.data<std::int32_t>()});
  });

  found.boxes = floats({images, capacity, 4});
  found.scores = floats({images, capacity});
  found.labels = integers({images, capacity});
  const Tensor decoded = integers({images});
  with_dtype(deltas.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, decode_candidates,
                     DecodeArgs<T>{.grid = grid,
                                   .deltas = head_levels<T>(deltas, Tensor(), grid.cells, 4),
                                   .classes = classes,
                                   .k = k,
                                   .indices = found.indices.data<std::int32_t>(),
                                   .values = best.data<float>(),
                                   .counts = found.counts.data<std::int32_t>(),
                                   .image_sizes = image_sizes.defined() ? image_sizes.data<float>() : nullptr,
                                   .boxes = found.boxes.data<float>(),
                                   .scores = found.scores.data<float>(),
                                   .labels = found.labels.data<std::int32_t>(),
                                   .candidates = decoded.data<std::int32_t>(),
                                   .sigmoid = rule.sigmoid});
  });

  found.keep = integers({images, rule.max_kept});
  found.kept = integers({images});
  DIOPTER_DISPATCH(device, batched_nms,
                   NmsArgs{.images = images,
                           .capacity = capacity,
                           .boxes = found.boxes.data<float>(),
                           .scores = found.scores.data<float>(),
                           .labels = found.labels.data<std::int32_t>(),
                           .counts = decoded.data<std::int32_t>(),
                           .iou_threshold = rule.nms_iou,
                           .class_aware = rule.class_aware,
                           .max_kept = rule.max_kept,
                           .keep = found.keep.data<std::int32_t>(),
                           .kept = found.kept.data<std::int32_t>()});
  return found;
}

Tensor room_for_kept(int images, int max_kept, Device device) {
  return Tensor::empty({images, max_kept, std::int64_t{sizeof(KeptBox)}}, DType::u8, device);
}

void gather_kept(const Candidates& candidates, const Tensor& kept) {
  DIOPTER_DISPATCH(kept.device(), gather_kept,
                   GatherArgs{.images = static_cast<int>(candidates.scores.shape()[0]),
                              .capacity = static_cast<int>(candidates.scores.shape()[1]),
                              .max_kept = static_cast<int>(candidates.keep.shape()[1]),
                              .boxes = candidates.boxes.data<float>(),
                              .scores = candidates.scores.data<float>(),
                              .labels = candidates.labels.data<std::int32_t>(),
                              .keep = candidates.keep.data<std::int32_t>(),
                              .kept = candidates.kept.data<std::int32_t>(),
                              .out = reinterpret_cast<KeptBox*>(kept.data<std::uint8_t>())});
}

}  // namespace diopter
