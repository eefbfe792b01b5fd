#include "kernels/detection/match.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <vector>

#include "kernels/common/parallel.h"

namespace diopter::cpu {

namespace {

constexpr int kBlock = 256;

/// Which anchors a block holds: consecutive ones of one level.
struct BlockRange {
  int level, size;
  std::int64_t in_level, in_image;  // index of the first, counted within the level and within the image
};

std::vector<BlockRange> cut_into_blocks(const AnchorGrid& grid) {
  std::vector<BlockRange> blocks;
  for (int l = 0; l < grid.levels; ++l) {
    const std::int64_t size = grid.level_size(l), offset = grid.level_offset(l);
    for (std::int64_t i = 0; i < size; i += kBlock) {
      blocks.push_back({l, static_cast<int>(std::min<std::int64_t>(kBlock, size - i)), i, offset + i});
    }
  }
  return blocks;
}

/// The anchors of a block as columns: loops over them vectorise, and serve every image of the batch.
struct AnchorBlock {
  int size;
  Box hull;  // smallest box around all anchors: what does not meet it has IoU 0 with each of them
  float x1[kBlock], y1[kBlock], x2[kBlock], y2[kBlock];

  AnchorBlock(const AnchorGrid& grid, const BlockRange& range) : size(range.size) {
    hull = grid.box(range.level, range.in_level);
    for (int i = 0; i < size; ++i) {
      const Box b = grid.box(range.level, range.in_level + i);
      x1[i] = b.x1, y1[i] = b.y1, x2[i] = b.x2, y2[i] = b.y2;
      hull = {std::min(hull.x1, b.x1), std::min(hull.y1, b.y1), std::max(hull.x2, b.x2), std::max(hull.y2, b.y2)};
    }
  }
  Box operator[](int i) const { return {x1[i], y1[i], x2[i], y2[i]}; }
  bool meets(const Box& box) const { return box_intersection(hull, box) > 0; }
  void iou(const Box& box, float* values) const {
    for (int i = 0; i < size; ++i) values[i] = box_iou((*this)[i], box);
  }
};

Box truth_box(const GroundTruth& truth, std::int32_t i) {
  const float* b = truth.boxes + std::int64_t{i} * 4;
  return {b[0], b[1], b[2], b[3]};
}

/// Bits of the largest value. IoUs are >= 0, so that they order as their bits do; integers make the loop vectorise.
std::int32_t largest_bits(const float* iou, int n) {
  std::int32_t largest = 0;
  for (int i = 0; i < n; ++i) largest = std::max(largest, std::bit_cast<std::int32_t>(iou[i]));
  return largest;
}

using IouBits = std::atomic<std::int32_t>;

void raise(IouBits& maximum, std::int32_t value) {
  std::int32_t before = maximum.load(std::memory_order_relaxed);
  while (before < value && !maximum.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

/// largest[box] rises to its largest IoU with an anchor of the block. A maximum does not depend on the order.
void raise_largest(const AnchorBlock& anchors, const GroundTruth& truth, std::vector<IouBits>& largest) {
  float iou[kBlock];
  for (std::int32_t b = 0; b < truth.total; ++b) {
    const Box box = truth_box(truth, b);
    if (truth.labels[b] < 0 || !anchors.meets(box)) continue;
    anchors.iou(box, iou);
    raise(largest[b], largest_bits(iou, anchors.size));
  }
}

/// Labels and matches of the block's anchors in one image; returns how many are positive.
/// `largest` is empty without the low-quality rule.
std::int32_t match_block(const AnchorBlock& anchors, const GroundTruth& truth, const MatchRule& rule, int image,
                         const std::vector<IouBits>& largest, std::int32_t* labels, std::int32_t* matches) {
  const std::int32_t first = truth.offsets[image], last = truth.offsets[image + 1];
  std::int32_t first_claiming = first;  // the best box of an anchor that meets none: all tie at 0
  while (first_claiming < last && truth.labels[first_claiming] < 0) ++first_claiming;

  float iou[kBlock], best_iou[kBlock] = {};
  std::int32_t best[kBlock], claimed[kBlock] = {}, covered[kBlock] = {};
  std::fill_n(best, anchors.size, first_claiming);
  for (std::int32_t b = first; b < last; ++b) {
    const Box box = truth_box(truth, b);
    if (truth.labels[b] < 0) {
      for (int i = 0; i < anchors.size; ++i) {
        covered[i] |= div_rn(box_intersection(anchors[i], box), box_area(anchors[i])) >= rule.ignore_overlap;
      }
    } else if (anchors.meets(box)) {
      anchors.iou(box, iou);
      for (int i = 0; i < anchors.size; ++i) {
        best[i] = iou[i] > best_iou[i] ? b : best[i];
        best_iou[i] = iou[i] > best_iou[i] ? iou[i] : best_iou[i];
      }
      const float claim = largest.empty() ? 0.0f : std::bit_cast<float>(largest[b].load(std::memory_order_relaxed));
      if (claim > 0) {
        for (int i = 0; i < anchors.size; ++i) claimed[i] |= iou[i] == claim;
      }
    }
  }

  std::int32_t positives = 0;
  for (int i = 0; i < anchors.size; ++i) {
    const bool positive = first_claiming < last && (claimed[i] || best_iou[i] >= rule.foreground_iou);
    const bool between = first_claiming < last && best_iou[i] >= rule.background_iou;
    labels[i] = positive ? truth.labels[best[i]] : between || covered[i] ? kIgnore : kBackground;
    matches[i] = positive ? best[i] - first : -1;
    positives += positive;
  }
  return positives;
}

}  // namespace

void match_anchors(const MatchArgs& args) {
  const GroundTruth& truth = args.truth;
  const std::vector<BlockRange> blocks = cut_into_blocks(args.grid);
  const std::int64_t count = static_cast<std::int64_t>(blocks.size()), anchors_per_image = args.grid.size();

  std::vector<IouBits> largest(args.rule.low_quality ? truth.total : 0);
  if (!largest.empty()) {
    parallel_for(count, 1, [&](std::int64_t i, std::int64_t) {
      raise_largest(AnchorBlock(args.grid, blocks[i]), truth, largest);
    });
  }
  std::vector<std::atomic<std::int32_t>> positives(truth.images);
  parallel_for(count, 1, [&](std::int64_t i, std::int64_t) {
    const AnchorBlock anchors(args.grid, blocks[i]);
    for (int image = 0; image < truth.images; ++image) {
      const std::int64_t at = image * anchors_per_image + blocks[i].in_image;
      positives[image] += match_block(anchors, truth, args.rule, image, largest, args.labels + at, args.matches + at);
    }
  });
  std::copy(positives.begin(), positives.end(), args.positives);
}

}  // namespace diopter::cpu
