// Detection losses as operations: value and gradient come from one pass of a fused kernel.
#pragma once

#include "engine/ops.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/classification_loss.h"

namespace diopter {

/// The ground truth of a batch on the device, and what the anchors were assigned to.
struct AnchorTargets {
  AnchorGrid grid;
  Tensor boxes, box_labels, offsets;  // [total, 4] f32, [total] i32, [images + 1] i32: see GroundTruth
  Tensor labels, matches, positives;  // [images, anchors] i32 twice, [images] i32: see MatchArgs

  int images() const { return static_cast<int>(offsets.size()) - 1; }
  GroundTruth truth() const;
};

/// Assigns the anchors of `grid` to the boxes: fills labels, matches and positives.
AnchorTargets match_anchors(const AnchorGrid& grid, const Tensor& boxes, const Tensor& box_labels,
                            const Tensor& offsets, const MatchRule& rule);

/// What a classification loss reads beside logits and labels; undefined: nothing. See ClassificationLossArgs.
struct LossTables {
  Tensor qualities = {};        // [images, anchors] float, of a loss with soft targets
  Tensor class_weights = {};    // [classes] float
  Tensor density_weights = {};  // [bins] float, of a loss that weighs by density
  Tensor class_focusing = {};   // [classes] float, of a loss that focuses by class
  Tensor class_gradients = {};  // [2, classes] float: gets the sums of ClassGradientsArgs, where gradients are recorded
};

/// Sum over the images of scale[image] * (loss over its anchors and classes): [1]. logits [rows, cells * classes],
/// level-major; scale [images] float. Throws Error when the logits do not belong to the targets' grid.
Variable classification_loss(const Pyramid& logits, int classes, const AnchorTargets& targets, const Tensor& scale,
                             const AnyLoss& loss, const LossTables& tables = {});

struct BoxLossParams {
  BoxLoss kind = BoxLoss::l1;
  float beta = 0;
  BoxCoder coder = {};
  Tensor ious = {};  // [images, anchors] float or undefined: gets the IoU of each positive's box with its target
};

/// Sum over the images of scale[image] * (loss over its positive anchors): [1]. deltas [rows, cells * 4].
Variable box_loss(const Pyramid& deltas, const AnchorTargets& targets, const Tensor& scale,
                  const BoxLossParams& params);

/// factor [1] * loss [1]; no gradient flows through the factor.
Variable scaled(const Variable& loss, const Tensor& factor);

/// The levels of a head's output for the kernels; gradient may be undefined.
template <class T>
HeadLevels<T> head_levels(const Pyramid& head, const Tensor& gradient, int cells, int channels) {
  HeadLevels<T> result;
  result.count = head.levels.count;
  result.images = head.levels.level[0].n;
  result.cells = cells;
  result.channels = channels;
  const std::int64_t stride = head.channels();
  for (int l = 0; l < result.count; ++l) {
    const std::int64_t offset = head.levels.offset(l) * stride;
    const LevelShape& level = head.levels.level[l];
    result.level[l] = {head.rows.value().data<T>() + offset, gradient.defined() ? gradient.data<T>() + offset : nullptr,
                       std::int64_t{level.h} * level.w, stride};
  }
  return result;
}

}  // namespace diopter
