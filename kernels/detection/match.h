// Assigns to every anchor of every image a class, background or ignore (Lin et al. 2017, section 4).
//
//   best(anchor) = the box with the largest IoU, the first on ties
//   IoU >= foreground_iou                 -> class of best(anchor)
//   background_iou <= IoU < foreground_iou -> kIgnore
//   IoU < background_iou                  -> kBackground
//   low_quality: every anchor whose IoU with some box equals that box's largest IoU over all anchors (all ties)
//                gets its own best(anchor) even so (torchvision's and detectron2's rule; the paper has none).
//                A box that no anchor overlaps (largest IoU 0) claims nothing.
//   a box with label kIgnore is an ignored region (crowd): it never claims an anchor, and a would-be kBackground anchor
//                with intersection / anchor area >= ignore_overlap becomes kIgnore
//
// No IoU matrix: O(anchors + boxes) memory. IoUs are contraction-free (box.h): labels are equal on both devices.
//
// Start here: kernels/plain/match.h
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/anchors.h"

namespace diopter {

/// Boxes of a batch, image after image: those of image i are [offsets[i], offsets[i + 1]).
struct GroundTruth {
  int images;
  std::int32_t total;           // room for boxes, at least offsets[images]; what lies behind is no box
  const float* boxes;           // [total, 4]
  const std::int32_t* labels;   // [total]: class >= 0 or kIgnore
  const std::int32_t* offsets;  // [images + 1], offsets[0] = 0
};

struct MatchRule {
  float foreground_iou = 0.5f, background_iou = 0.4f;
  bool low_quality = false;
  float ignore_overlap = 0.5f;
};

/// What label_of says of an anchor that takes the class of its best box.
inline constexpr std::int32_t kForeground = 0;

/// kForeground, kIgnore or kBackground for an anchor whose largest IoU is best_iou (-infinity in an image without a box
/// to claim it); claimed: by a low-quality box; covered: enough of it lies in an ignored region.
DIOPTER_HD inline std::int32_t label_of(const MatchRule& rule, float best_iou, bool claimed, bool covered) {
  const bool foreground = claimed | (best_iou >= rule.foreground_iou);
  const bool between = covered | (best_iou >= rule.background_iou);
  return foreground ? kForeground : between ? kIgnore : kBackground;
}

struct MatchArgs {
  AnchorGrid grid;
  GroundTruth truth;
  MatchRule rule;
  std::int32_t* labels;     // [images, grid.size()]: class, kBackground or kIgnore
  std::int32_t* matches;    // [images, grid.size()]: index of the box within the image where label >= 0, else -1
  std::int32_t* positives;  // [images]: number of labels >= 0
};

}  // namespace diopter

DIOPTER_KERNEL(void match_anchors(const MatchArgs& args))

namespace diopter::least_work {

/// A label and a match are written for each anchor.
inline LeastWork match_anchors(const MatchArgs& args) {
  return passes<std::int32_t>(2, args.truth.images * args.grid.size());
}

}  // namespace diopter::least_work
