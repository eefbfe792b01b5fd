// Boxes with boxes, as box_iou, generalized_box_iou_loss, distance_box_iou_loss and complete_box_iou_loss of
// torchvision have them: no anchors. Formulas: kernels/detection/box.h and box_loss.h.
//
// Start here: kernels/plain/box_pairs.h
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/detection/box_loss.h"

namespace diopter {

struct PairwiseIouArgs {
  std::int64_t rows, columns;
  const float* boxes1;  // [rows, 4]
  const float* boxes2;  // [columns, 4]
  float* ious;          // [rows, columns]: of each with each; 0 for two empty boxes
};

struct BoxPairLossArgs {
  BoxLoss kind;  // giou, diou or ciou
  float epsilon;
  std::int64_t n;
  const float* boxes;    // [n, 4]
  const float* targets;  // [n, 4]
  float* losses;         // [n], overwritten
  float* gradient;       // [n, 4], of the sum of losses with respect to boxes; null: not wanted
};

}  // namespace diopter

DIOPTER_KERNEL(void pairwise_iou(const PairwiseIouArgs& args);
               /// Boxes whose sides are not x1 < x2 and y1 < y2 have any loss, NaN perhaps.
               void box_pair_loss(const BoxPairLossArgs& args))

namespace diopter::least_work {

/// The boxes are read, the matrix written.
inline LeastWork pairwise_iou(const PairwiseIouArgs& args) {
  return {.bytes = passes<float>(4, args.rows + args.columns).bytes + passes<float>(1, args.rows * args.columns).bytes};
}
/// Both boxes are read, loss and gradient written.
inline LeastWork box_pair_loss(const BoxPairLossArgs& args) { return passes<float>(args.gradient ? 13 : 9, args.n); }

}  // namespace diopter::least_work
