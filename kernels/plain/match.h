// Anchor matching, the shortest way: the rule of kernels/detection/match.h with the whole matrix of IoUs of an image.
// The fast versions, without the matrix: kernels/detection/match.{cpp,cu}.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/detection/match.h"
#include "kernels/plain/anchors.h"

namespace diopter::plain {

/// MatchKind::atss with all anchors of an image sorted by their distance, level by level.
inline void match_by_atss(const MatchArgs& args) {
  const GroundTruth& truth = args.truth;
  const AnchorGrid& grid = args.grid;
  const std::int64_t anchors = grid.size();
  std::vector<float> anchor_boxes(anchors * 4);
  generate_anchors(grid, anchor_boxes.data());
  const auto anchor_box = [&](std::int64_t a) { return box_at(anchor_boxes.data(), a); };
  for (int image = 0; image < truth.images; ++image) {
    std::vector<std::vector<std::int32_t>> claiming(anchors);  // boxes, in order
    for (std::int32_t b = truth.offsets[image]; b < truth.offsets[image + 1]; ++b) {
      if (truth.labels[b] == kIgnore) continue;
      const Box box = box_at(truth.boxes, b);
      const auto centre = [](float low, float high) { return 0.5f * (low + high); };
      const auto distance = [&](std::int64_t a) {
        const float dx = centre(anchor_box(a).x1, anchor_box(a).x2) - centre(box.x1, box.x2);
        const float dy = centre(anchor_box(a).y1, anchor_box(a).y2) - centre(box.y1, box.y2);
        return dy * dy + dx * dx;
      };
      std::vector<std::int64_t> candidates;
      for (int l = 0; l < grid.levels; ++l) {
        std::vector<std::int64_t> of_level(grid.level_size(l));
        for (std::int64_t i = 0; i < grid.level_size(l); ++i) of_level[i] = grid.level_offset(l) + i;
        std::stable_sort(of_level.begin(), of_level.end(),
                         [&](std::int64_t one, std::int64_t other) { return distance(one) < distance(other); });
        of_level.resize(std::min<std::size_t>(of_level.size(), args.rule.candidates));
        candidates.insert(candidates.end(), of_level.begin(), of_level.end());
      }
      const double n = static_cast<double>(candidates.size());
      double mean = 0, variance = 0;
      for (const std::int64_t a : candidates) mean += static_cast<double>(box_iou(anchor_box(a), box));
      mean /= n;
      for (const std::int64_t a : candidates) {
        const double difference = static_cast<double>(box_iou(anchor_box(a), box)) - mean;
        variance = std::fma(difference, difference, variance);
      }
      variance /= n - 1;
      const double threshold = n > 1 ? mean + std::sqrt(variance) : mean;
      for (const std::int64_t a : candidates) {
        const float x = centre(anchor_box(a).x1, anchor_box(a).x2), y = centre(anchor_box(a).y1, anchor_box(a).y2);
        const bool inside = box.x1 < x && x < box.x2 && box.y1 < y && y < box.y2;
        const float iou = box_iou(anchor_box(a), box);
        if (inside && iou > 0 && static_cast<double>(iou) >= threshold) claiming[a].push_back(b);
      }
    }
    args.positives[image] = 0;
    for (std::int64_t a = 0; a < anchors; ++a) {
      std::int32_t best = -1;
      const auto iou = [&](std::int32_t b) { return box_iou(anchor_box(a), box_at(truth.boxes, b)); };
      for (const std::int32_t b : claiming[a]) best = best < 0 || iou(b) > iou(best) ? b : best;
      bool covered = false;
      for (std::int32_t b = truth.offsets[image]; b < truth.offsets[image + 1]; ++b) {
        if (truth.labels[b] != kIgnore) continue;
        covered |= box_intersection(anchor_box(a), box_at(truth.boxes, b)) / box_area(anchor_box(a)) >=
                   args.rule.ignore_overlap;
      }
      args.labels[image * anchors + a] = best >= 0 ? truth.labels[best] : covered ? kIgnore : kBackground;
      args.matches[image * anchors + a] = best >= 0 ? best - truth.offsets[image] : -1;
      args.positives[image] += best >= 0;
    }
  }
}

inline void match_anchors(const MatchArgs& args) {
  if (args.rule.kind == MatchKind::atss) return match_by_atss(args);
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
