// Classification loss over every anchor and class of a batch, value and gradient in one pass.
//
//   losses[image] = sum over anchors with label != kIgnore and classes k of loss(x, k == label)     (not scaled)
//   gradient      = scale[image] * dloss/dx; 0 in the rows of ignored anchors
//
// A loss with soft targets takes loss.with_quality(x, quality of the anchor) at k == label; the quality is a constant.
// Class weights multiply the loss, and so the gradient, at k == label, the one positive logit of an anchor; negative
// logits weigh 1 whatever their class. Density weights multiply the losses of all logits. With class focusing the
// logits of class k have loss.of_class(more of k).
//
// `loss` is any of losses/*.h. The scale, loss weight over normaliser, is folded in before rounding, so that nothing is
// left to do for the backward pass.
// The sum is deterministic: a fixed map of logits to chunks, chunk sums added in order, in double.
// Start here: kernels/plain/classification_loss.h.
#pragma once

#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/detection/head.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

template <class T>
struct ClassificationLossArgs {
  HeadLevels<T> logits;        // channels = classes >= 1; gradient may be null everywhere: values only
  const std::int32_t* labels;  // [images, logits.anchors()]: class < channels, kBackground or kIgnore; for anything
                               // else the CPU throws Error, CUDA takes the anchor for background
  const float* scale;          // [images], in device memory; not read without gradients
  float* losses;               // [images], overwritten
  const float* qualities = nullptr;      // as labels, read where label >= 0: soft targets in [0, 1]; null: 1 everywhere
  const float* class_weights = nullptr;  // [channels], finite and not negative; null: 1 each
  const float* density_weights = nullptr;  // [bins] of a loss that weighs by density (gradient_density.h); null: 1 each
  const float* class_focusing = nullptr;  // [channels] of a loss that focuses by class (class_focusing.h); null: 0 each
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& loss))

namespace diopter::least_work {

/// Logits and labels are read, the gradient is written.
template <class T>
LeastWork classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss&) {
  const std::int64_t anchors = args.logits.images * args.logits.anchors();
  const bool gradient = args.logits.level[0].gradient;
  return {.bytes = passes<T>(gradient ? 2 : 1, anchors * args.logits.channels).bytes +
                   passes<std::int32_t>(1, anchors).bytes};
}

}  // namespace diopter::least_work
