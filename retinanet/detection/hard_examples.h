// Selection of the anchors of a batch that a classification loss is computed on, for losses with a HardExampleRule.
#pragma once

#include "kernels/detection/hard_examples.h"
#include "retinanet/detection/losses.h"

namespace diopter {

struct HardExamples {
  AnchorTargets targets;  // labels of all anchors that are not selected: kIgnore
  Tensor selected;        // [images] i32: how many are
};

/// Selects by `loss` of the logits [rows, cells * classes] and the boxes that the deltas [rows, cells * 4] predict.
/// class_weights: [classes] float, or undefined. Nothing waits for the device, and no gradient flows through the
/// selection.
HardExamples hard_examples(const Pyramid& logits, const Pyramid& deltas, int classes, const AnchorTargets& targets,
                           const AnyLoss& loss, const HardExampleRule& rule, const Tensor& class_weights = {});

}  // namespace diopter
