#include "kernels/detection/match.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

constexpr int kTile = 512;

/// Consecutive anchors of one row of pixels, the unit of work.
struct Tile {
  int level, row;
  int begin, end;      // anchors, counted within the row
  std::int64_t first;  // index within the image of anchor `begin`
};

std::vector<Tile> cut_into_tiles(const AnchorGrid& grid) {
  std::vector<Tile> tiles;
  for (int l = 0; l < grid.levels; ++l) {
    const int size = grid.level[l].w * grid.cells;
    for (int row = 0; row < grid.level[l].h; ++row) {
      const std::int64_t first = grid.level_offset(l) + std::int64_t{row} * size;
      for (int i = 0; i < size; i += kTile) tiles.push_back({l, row, i, std::min(i + kTile, size), first + i});
    }
  }
  return tiles;
}

/// The anchors of any row of a level as columns: rows differ by what is added to y.
struct LevelColumns {
  std::vector<float> x1, x2, cell_y1, cell_y2;
  std::vector<float> left, right, top, bottom;  // hull of the anchors of each pixel column and of each pixel row

  LevelColumns(const AnchorGrid& grid, int l) {
    const AnchorLevel& level = grid.level[l];
    Box hull = level.cell[0];
    for (int a = 1; a < grid.cells; ++a) {
      const Box& c = level.cell[a];
      hull = {std::min(hull.x1, c.x1), std::min(hull.y1, c.y1), std::max(hull.x2, c.x2), std::max(hull.y2, c.y2)};
    }
    for (int pixel = 0; pixel < level.w; ++pixel) {
      const float x = grid.shift(pixel, level.stride_x);
      for (int a = 0; a < grid.cells; ++a) {
        const Box& c = level.cell[a];
        x1.push_back(add_rn(c.x1, x)), x2.push_back(add_rn(c.x2, x));
        cell_y1.push_back(c.y1), cell_y2.push_back(c.y2);
      }
      left.push_back(add_rn(hull.x1, x)), right.push_back(add_rn(hull.x2, x));
    }
    for (int row = 0; row < level.h; ++row) {
      const float y = grid.shift(row, level.stride_y);
      top.push_back(add_rn(hull.y1, y)), bottom.push_back(add_rn(hull.y2, y));
    }
  }
};

/// Rows and, within a row, anchors outside of which a box has IoU 0 with the anchors of a level.
struct Reach {
  int row_begin = 0, row_end = 0, begin = 0, end = 0;

  Reach() = default;
  Reach(const LevelColumns& level, int cells, const Box& box) {
    // Hulls rise from pixel to pixel, also after rounding.
    const auto first_above = [](const std::vector<float>& ends, float x) {
      return static_cast<int>(std::upper_bound(ends.begin(), ends.end(), x) - ends.begin());
    };
    const auto first_not_below = [](const std::vector<float>& starts, float x) {
      return static_cast<int>(std::lower_bound(starts.begin(), starts.end(), x) - starts.begin());
    };
    row_begin = first_above(level.bottom, box.y1), row_end = first_not_below(level.top, box.y2);
    begin = first_above(level.right, box.x1) * cells, end = first_not_below(level.left, box.x2) * cells;
  }
};

/// A maximum of IoUs as bits: they are not negative and order as their bits do. It does not depend on the order.
using IouBits = std::atomic<std::int32_t>;

void raise(IouBits& maximum, std::int32_t value) {
  std::int32_t before = maximum.load(std::memory_order_relaxed);
  while (before < value && !maximum.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
}

/// Anchors of a tile, counted within it, that a box reaches.
struct Range {
  int begin, end;
};

/// State of the anchors of a tile after the boxes gone through so far.
struct TileState {
  float best_iou[kTile];
  std::int32_t best[kTile], claimed[kTile], covered[kTile];
};

// The loops over the anchors that a box reaches. `anchor` gives the i-th of a tile, arguments are values: so they
// vectorise.

template <class Anchor>
std::int32_t largest_iou_bits(Anchor anchor, Range r, Box box) {
  std::int32_t largest = 0;
  for (int i = r.begin; i < r.end; ++i)
    largest = std::max(largest, std::bit_cast<std::int32_t>(box_iou(anchor(i), box)));
  return largest;
}

template <class Anchor>
void compare_with_best(Anchor anchor, Range r, Box box, std::int32_t index, float claim, TileState& state) {
  for (int i = r.begin; i < r.end; ++i) {
    const float iou = box_iou(anchor(i), box), best_iou = state.best_iou[i];
    state.claimed[i] |= iou == claim;
    state.best[i] = iou > best_iou ? index : state.best[i];
    state.best_iou[i] = iou > best_iou ? iou : best_iou;
  }
}

template <class Anchor>
void cover(Anchor anchor, Range r, Box region, float overlap, TileState& state) {
  for (int i = r.begin; i < r.end; ++i) {
    const Box a = anchor(i);
    state.covered[i] |= div_rn(box_intersection(a, region), box_area(a)) >= overlap;
  }
}

class Matcher {
 public:
  explicit Matcher(const MatchArgs& args)
      : args_(args),
        truth_(args.truth),
        tiles_(cut_into_tiles(args.grid)),
        reach_(std::int64_t{args.grid.levels} * args.truth.total),
        largest_(args.rule.low_quality ? args.truth.total : 0) {
    for (int l = 0; l < args.grid.levels; ++l) {
      levels_.emplace_back(args.grid, l);
      for (std::int32_t b = 0; b < truth_.total; ++b) {
        const bool everywhere = truth_.labels[b] < 0 && !(args.rule.ignore_overlap > 0);  // 0 suffices to be ignored
        reach_of(l, b) = Reach(levels_[l], args.grid.cells, box_at(truth_.boxes, b));
        if (everywhere) reach_of(l, b) = whole(l);
      }
    }
  }

  void run() {
    const std::int64_t anchors = args_.grid.size();
    if (!largest_.empty()) for_each_tile([&](const Tile& tile) { raise_largest(tile); });
    std::vector<std::atomic<std::int32_t>> positives(truth_.images);
    for_each_tile([&](const Tile& tile) {
      for (int image = 0; image < truth_.images; ++image) {
        const std::int64_t at = image * anchors + tile.first;
        positives[image] += match_tile(tile, image, args_.labels + at, args_.matches + at);
      }
    });
    std::copy(positives.begin(), positives.end(), args_.positives);
  }

 private:
  template <class Body>
  void for_each_tile(const Body& body) const {
    parallel_for(static_cast<std::int64_t>(tiles_.size()), 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) body(tiles_[i]);
    });
  }

  Reach& reach_of(int l, std::int32_t box) { return reach_[std::int64_t{l} * truth_.total + box]; }
  Reach whole(int l) const {
    Reach all;
    all.row_end = args_.grid.level[l].h, all.end = args_.grid.level[l].w * args_.grid.cells;
    return all;
  }
  Range range(const Tile& tile, std::int32_t box) const {
    const Reach& reach = reach_[std::int64_t{tile.level} * truth_.total + box];
    if (tile.row < reach.row_begin || tile.row >= reach.row_end) return {0, 0};
    return {std::max(reach.begin, tile.begin) - tile.begin, std::min(reach.end, tile.end) - tile.begin};
  }

  /// Returns the function from an index within the tile to its anchor.
  auto anchors_of(const Tile& tile) const {
    const LevelColumns& level = levels_[tile.level];
    const float y = args_.grid.shift(tile.row, args_.grid.level[tile.level].stride_y);
    const float *x1 = level.x1.data() + tile.begin, *x2 = level.x2.data() + tile.begin;
    const float *y1 = level.cell_y1.data() + tile.begin, *y2 = level.cell_y2.data() + tile.begin;
    return [=](int i) { return Box{x1[i], add_rn(y1[i], y), x2[i], add_rn(y2[i], y)}; };
  }

  /// largest_[box] rises to its largest IoU with an anchor of the tile.
  void raise_largest(const Tile& tile) {
    const auto anchor = anchors_of(tile);
    for (std::int32_t b = 0; b < truth_.total; ++b) {
      const Range r = range(tile, b);
      if (truth_.labels[b] < 0 || r.begin >= r.end) continue;
      std::int32_t largest = 0;
      with_widest_vectors([&] { largest = largest_iou_bits(anchor, r, box_at(truth_.boxes, b)); });
      raise(largest_[b], largest);
    }
  }

  /// Labels and matches of the tile's anchors in one image; returns how many are positive.
  std::int32_t match_tile(const Tile& tile, int image, std::int32_t* labels, std::int32_t* matches) const {
    const MatchRule& rule = args_.rule;
    const int size = tile.end - tile.begin;
    const std::int32_t first = truth_.offsets[image], last = truth_.offsets[image + 1];
    std::int32_t first_claiming = first;  // the best box of an anchor that meets none: all tie at 0
    while (first_claiming < last && truth_.labels[first_claiming] < 0) ++first_claiming;
    const float none_met = first_claiming < last ? 0.0f : -INFINITY;  // the largest IoU of such an anchor

    const std::int32_t label_of_unmet = label_of(rule, none_met, false, false);
    bool met = label_of_unmet == kForeground;
    for (std::int32_t b = first; b < last && !met; ++b) {
      const Range r = range(tile, b);
      met = r.begin < r.end;
    }
    if (!met) {
      std::fill_n(labels, size, label_of_unmet);
      std::fill_n(matches, size, -1);
      return 0;
    }

    const auto anchor = anchors_of(tile);
    TileState state;
    std::fill_n(state.best_iou, size, none_met), std::fill_n(state.best, size, first_claiming);
    std::fill_n(state.claimed, size, 0), std::fill_n(state.covered, size, 0);
    for (std::int32_t b = first; b < last; ++b) {
      const Range r = range(tile, b);
      if (r.begin >= r.end) continue;
      const Box box = box_at(truth_.boxes, b);
      if (truth_.labels[b] < 0) {
        with_widest_vectors([&] { cover(anchor, r, box, rule.ignore_overlap, state); });
        continue;
      }
      const float largest = largest_.empty() ? 0 : std::bit_cast<float>(largest_[b].load(std::memory_order_relaxed));
      const float claim = largest > 0 ? largest : INFINITY;
      with_widest_vectors([&] { compare_with_best(anchor, r, box, b, claim, state); });
    }

    for (int i = 0; i < size; ++i) {
      labels[i] = label_of(rule, state.best_iou[i], state.claimed[i] != 0, state.covered[i] != 0);
      matches[i] = -1;
    }
    std::int32_t positives = 0;
    for (int i = 0; i < size; ++i) {
      if (labels[i] != kForeground) continue;
      labels[i] = truth_.labels[state.best[i]];
      matches[i] = state.best[i] - first;
      ++positives;
    }
    return positives;
  }

  const MatchArgs& args_;
  const GroundTruth& truth_;
  std::vector<Tile> tiles_;
  std::vector<LevelColumns> levels_;
  std::vector<Reach> reach_;      // [levels, boxes]
  std::vector<IouBits> largest_;  // of each box, over all anchors; empty without the low-quality rule
};

/// MatchKind::atss for one image. Boxes in their order: the first of equals keeps an anchor.
void match_image_by_atss(const MatchArgs& args, int image) {
  const AnchorGrid& grid = args.grid;
  const GroundTruth& truth = args.truth;
  const std::int32_t first = truth.offsets[image], last = truth.offsets[image + 1];
  const int most = args.rule.candidates;
  const std::int64_t anchors = grid.size();
  std::vector<float> best_iou(anchors, 0.0f);
  std::vector<std::int32_t> best(anchors, -1), candidates(grid.levels * most);
  for (std::int32_t b = first; b < last; ++b) {
    if (truth.labels[b] < 0) continue;
    const Box box = box_at(truth.boxes, b);
    for (int l = 0; l < grid.levels; ++l) find_match_candidates(grid, l, box, most, candidates.data() + l * most);
    atss_claims(grid, box, {candidates.data(), grid.levels * most}, [&](std::int32_t anchor, float iou) {
      if (iou <= best_iou[anchor]) return;
      best_iou[anchor] = iou;
      best[anchor] = b;
    });
  }

  args.positives[image] = 0;
  for (std::int64_t a = 0; a < anchors; ++a) {
    std::int64_t in_level = a;
    const int level = grid.level_of(in_level);
    bool covered = false;
    for (std::int32_t b = first; b < last; ++b) {
      if (truth.labels[b] >= 0) continue;
      const Box anchor = grid.box(level, in_level);
      covered |= div_rn(box_intersection(anchor, box_at(truth.boxes, b)), box_area(anchor)) >= args.rule.ignore_overlap;
    }
    const std::int64_t at = image * anchors + a;
    const std::int32_t label = label_of(args.rule, 0, best[a] >= 0, covered);
    args.labels[at] = label == kForeground ? truth.labels[best[a]] : label;
    args.matches[at] = label == kForeground ? best[a] - first : -1;
    args.positives[image] += label == kForeground;
  }
}

}  // namespace

void match_anchors(const MatchArgs& args) {
  if (args.rule.kind == MatchKind::iou) {
    Matcher(args).run();
    return;
  }
  parallel_for(args.truth.images, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) match_image_by_atss(args, static_cast<int>(image));
  });
}

}  // namespace diopter::cpu
