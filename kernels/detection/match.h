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
// MatchKind::atss, adaptive training sample selection (Zhang et al. 2020, "Bridging the Gap Between Anchor-based and
// Anchor-free Detection via Adaptive Training Sample Selection", algorithm 1), takes each box's threshold from its
// IoUs:
//
//   candidates(box) = of each level the `candidates` anchors whose centres are nearest to the box's, in order of the
//                     squared distance in float; at the same distance the lower index
//   threshold(box)  = mean + standard deviation of their IoUs, over all levels (of n values: divided by n - 1, 0 for n
//   = 1),
//                     added up in that order in double
//   box claims the candidates with 0 < IoU >= threshold whose centre lies inside of it, borders excluded
//   an anchor that is claimed gets the claiming box with the largest IoU, the first on ties; the others are
//   kBackground, or kIgnore in an ignored region as above
//
// No IoU matrix: O(anchors + boxes) memory. IoUs are contraction-free (box.h): labels are equal on both devices.
//
// Start here: kernels/plain/match.h
#pragma once

#include <cmath>
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

enum class MatchKind { iou, atss };
inline constexpr int kMostMatchCandidates = 32;

struct MatchRule {
  float foreground_iou = 0.5f, background_iou = 0.4f;
  bool low_quality = false;
  float ignore_overlap = 0.5f;
  MatchKind kind = MatchKind::iou;  // atss: of the above ignore_overlap only
  int candidates = 9;               // of atss, for a box and level: 1 to kMostMatchCandidates
};

/// What label_of says of an anchor that takes the class of its best box.
inline constexpr std::int32_t kForeground = 0;

/// kForeground, kIgnore or kBackground for an anchor whose largest IoU is best_iou (-infinity in an image without a box
/// to claim it); claimed: by a low-quality box; covered: enough of it lies in an ignored region.
DIOPTER_HD inline std::int32_t label_of(const MatchRule& rule, float best_iou, bool claimed, bool covered) {
  const bool by_iou = rule.kind == MatchKind::iou;
  const bool foreground = claimed | (by_iou & (best_iou >= rule.foreground_iou));
  const bool between = covered | (by_iou & (best_iou >= rule.background_iou));
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

struct Point {
  float x, y;
};

DIOPTER_HD inline Point centre_of(const Box& b) {
  return {mul_rn(0.5f, add_rn(b.x1, b.x2)), mul_rn(0.5f, add_rn(b.y1, b.y2))};
}

/// The anchors of one level that are nearest to a point, in order.
class NearestAnchors {
 public:
  /// Walks outwards from the pixel that is nearest, for each cell by itself: distances along x and along y do not fall
  /// on the way out, also after rounding, so that a row or column that is too far ends the walk.
  DIOPTER_HD NearestAnchors(const AnchorGrid& grid, int level, const Point& point, int most) : most_(most) {
    const AnchorLevel& g = grid.level[level];
    for (int a = 0; a < grid.cells && g.h > 0 && g.w > 0; ++a) {
      const Box& c = g.cell[a];
      const auto squared = [&grid](int pixel, float stride, float low, float high, float at) {
        const float shift = grid.shift(pixel, stride);
        const float d = sub_rn(mul_rn(0.5f, add_rn(add_rn(low, shift), add_rn(high, shift))), at);
        return mul_rn(d, d);
      };
      const auto dx = [&](int x) { return squared(x, g.stride_x, c.x1, c.x2, point.x); };
      const auto dy = [&](int y) { return squared(y, g.stride_y, c.y1, c.y2, point.y); };
      const int row = nearest(g.h, dy), column = nearest(g.w, dx);
      const auto in_row = [&](int y) {
        const float of_row = dy(y);
        if (too_far(of_row)) return false;
        const auto in_column = [&](int x) {
          const float distance = add_rn(of_row, dx(x));
          if (too_far(distance)) return false;
          add(distance, (std::int64_t{y} * g.w + x) * grid.cells + a);
          return true;
        };
        for (int x = column; x >= 0 && in_column(x);) --x;
        for (int x = column + 1; x < g.w && in_column(x);) ++x;
        return true;
      };
      for (int y = row; y >= 0 && in_row(y);) --y;
      for (int y = row + 1; y < g.h && in_row(y);) ++y;
    }
  }

  DIOPTER_HD int count() const { return count_; }
  /// Within the level.
  DIOPTER_HD std::int64_t anchor(int i) const { return anchors_[i]; }

 private:
  /// Where a distance that first falls and then rises is least.
  template <class Distance>
  DIOPTER_HD static int nearest(int size, const Distance& distance) {
    int low = 0, high = size - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (distance(middle) > distance(middle + 1)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  DIOPTER_HD bool too_far(float distance) const { return count_ == most_ && distance > distances_[most_ - 1]; }
  DIOPTER_HD void add(float distance, std::int64_t anchor) {
    const auto before = [&](int i) {
      return distances_[i] < distance || (distances_[i] == distance && anchors_[i] < anchor);
    };
    if (count_ == most_ && before(most_ - 1)) return;
    int at = count_ < most_ ? count_++ : most_ - 1;
    for (; at > 0 && !before(at - 1); --at) {
      distances_[at] = distances_[at - 1];
      anchors_[at] = anchors_[at - 1];
    }
    distances_[at] = distance;
    anchors_[at] = anchor;
  }

  int most_, count_ = 0;
  float distances_[kMostMatchCandidates];
  std::int64_t anchors_[kMostMatchCandidates];
};

/// A box's candidates, as anchors of the image: level after level `most` places, -1 where a level has fewer anchors.
struct MatchCandidates {
  const std::int32_t* anchors;  // [levels, most]
  int count;                    // levels * most
};

/// IoU from which a candidate is claimed. std::fma, because no compiler makes something else of it.
DIOPTER_HD inline double atss_threshold(const AnchorGrid& grid, const Box& box, const MatchCandidates& candidates) {
  double sum = 0, squares = 0;
  int n = 0;
  const auto for_each_iou = [&](const auto& visit) {
    for (int i = 0; i < candidates.count; ++i) {
      if (candidates.anchors[i] < 0) continue;
      std::int64_t anchor = candidates.anchors[i];
      const int level = grid.level_of(anchor);
      visit(static_cast<double>(box_iou(grid.box(level, anchor), box)));
    }
  };
  for_each_iou([&](double iou) {
    sum += iou;
    ++n;
  });
  const double mean = n > 0 ? sum / n : 0;
  for_each_iou([&](double iou) { squares = std::fma(iou - mean, iou - mean, squares); });
  return n > 1 ? mean + std::sqrt(squares / (n - 1)) : mean;
}

/// Calls claim(anchor of the image, IoU) for the candidates that the box claims.
template <class Claim>
DIOPTER_HD void atss_claims(const AnchorGrid& grid, const Box& box, const MatchCandidates& candidates,
                            const Claim& claim) {
  const double threshold = atss_threshold(grid, box, candidates);
  for (int i = 0; i < candidates.count; ++i) {
    if (candidates.anchors[i] < 0) continue;
    std::int64_t in_level = candidates.anchors[i];
    const int level = grid.level_of(in_level);
    const Box anchor = grid.box(level, in_level);
    const float iou = box_iou(anchor, box);
    const Point centre = centre_of(anchor);
    const bool inside = box.x1 < centre.x && centre.x < box.x2 && box.y1 < centre.y && centre.y < box.y2;
    if (inside && iou > 0 && static_cast<double>(iou) >= threshold) claim(candidates.anchors[i], iou);
  }
}

/// Writes the candidates of a box in one level: anchors [most].
DIOPTER_HD inline void find_match_candidates(const AnchorGrid& grid, int level, const Box& box, int most,
                                             std::int32_t* anchors) {
  const NearestAnchors nearest(grid, level, centre_of(box), most);
  const std::int64_t first = grid.level_offset(level);
  for (int i = 0; i < most; ++i) {
    anchors[i] = i < nearest.count() ? static_cast<std::int32_t>(first + nearest.anchor(i)) : -1;
  }
}

}  // namespace diopter

DIOPTER_KERNEL(void match_anchors(const MatchArgs& args))

namespace diopter::least_work {

/// A label and a match are written for each anchor.
inline LeastWork match_anchors(const MatchArgs& args) {
  return passes<std::int32_t>(2, args.truth.images * args.grid.size());
}

}  // namespace diopter::least_work
