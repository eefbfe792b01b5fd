// Anchor matching, the shortest way: the rule of kernels/detection/match.h with the whole matrix of IoUs of an image.
// The fast versions, without the matrix: kernels/detection/match.{cpp,cu}.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/detection/match.h"
#include "kernels/plain/anchors.h"

namespace diopter::plain {

inline void match_anchors(const MatchArgs& args) {
  const GroundTruth& truth = args.truth;
  const MatchRule& rule = args.rule;
  const std::int64_t anchors = args.grid.size();
  std::vector<float> anchor_boxes(anchors * 4);
  generate_anchors(args.grid, anchor_boxes.data());
  for (int image = 0; image < truth.images; ++image) {
    const std::int32_t first = truth.offsets[image], last = truth.offsets[image + 1];
    const auto index = [&](std::int32_t b, std::int64_t a) { return (b - first) * anchors + a; };
    std::vector<float> iou((last - first) * anchors), largest(last - first);
    for (std::int32_t b = first; b < last; ++b) {
      for (std::int64_t a = 0; a < anchors; ++a) {
        iou[index(b, a)] = box_iou(box_at(anchor_boxes.data(), a), box_at(truth.boxes, b));
        largest[b - first] = std::max(largest[b - first], iou[index(b, a)]);
      }
    }
    args.positives[image] = 0;
    for (std::int64_t a = 0; a < anchors; ++a) {
      const Box anchor = box_at(anchor_boxes.data(), a);
      std::int32_t best = -1;
      bool claimed = false, covered = false;
      for (std::int32_t b = first; b < last; ++b) {
        if (truth.labels[b] == kIgnore) {
          covered |= box_intersection(anchor, box_at(truth.boxes, b)) / box_area(anchor) >= rule.ignore_overlap;
          continue;
        }
        if (best < 0 || iou[index(b, a)] > iou[index(best, a)]) best = b;
        claimed |= rule.low_quality && largest[b - first] > 0 && iou[index(b, a)] == largest[b - first];
      }
      std::int32_t label = kBackground;
      if (covered || (best >= 0 && iou[index(best, a)] >= rule.background_iou)) label = kIgnore;
      if (best >= 0 && (claimed || iou[index(best, a)] >= rule.foreground_iou)) label = truth.labels[best];
      args.labels[image * anchors + a] = label;
      args.matches[image * anchors + a] = label >= 0 ? best - first : -1;
      args.positives[image] += label >= 0;
    }
  }
}

}  // namespace diopter::plain
