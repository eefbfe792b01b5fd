// The boxes that non-maximum suppression on the CPU has kept so far, and the search for one that suppresses another.
//
// Boxes that overlap by more than a threshold t are near each other and of similar size, so that only few kept ones
// need be compared. Along either axis, with widths a and b, centres d apart and an overlap o <= (a + b) / 2 - d,
//   IoU <= o / (a + b - o);     IoU > t   =>   o > t (a + b) / (1 + t),   t a < b < a / t,   d < (a + b) / 2 (1 - t) /
//   (1 + t)
// A hundred kept boxes are compared one after another. More lie in a pyramid of grids: a level has those whose longer
// side is at most that of its cells, and too long for the level below, in the cell of their centre. A search visits a
// handful of cells of a level or two.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/detection/box.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

class KeptBoxes {
 public:
  explicit KeptBoxes(float threshold) : threshold_(threshold + 0.0f) {}  // -0, by which is divided, becomes 0

  /// Begins anew, for boxes of which each may be added; they must stay where they are.
  void start(const std::vector<Box>& boxes) {
    boxes_ = &boxes;
    levels_.clear(), blocks_.clear();
    cells_.assign(1, -1);
    size_ = 0;
  }

  int size() const { return size_; }

  void add(const Box& box, float area) {
    put(box, area);
    if (++size_ == kFew && bounds_hold()) lay_grids();
  }

  /// Whether a kept box overlaps the box by more than the threshold.
  bool suppress(const Box& box, float area) const {
    if (levels_.empty()) return any_in_cell(0, box, area);
    const Sides sides(box);
    const double most = sides.longer / t_;  // longer sides of boxes that may overlap enough are at most this
    double previous = 0;
    for (const Level& level : levels_) {
      const bool none = !level.used || level.size < t_ * sides.longer || previous > most;
      previous = level.size;
      if (none) continue;
      const double dx = reach_ * (sides.w + std::min(level.size, sides.w / t_));
      const double dy = reach_ * (sides.h + std::min(level.size, sides.h / t_));
      const int last_row = level.row(sides.y + dy - top_), last_column = level.column(sides.x + dx - left_);
      for (int row = level.row(sides.y - dy - top_); row <= last_row; ++row) {
        for (int column = level.column(sides.x - dx - left_); column <= last_column; ++column) {
          if (any_in_cell(level.cell(column, row), box, area)) return true;
        }
      }
    }
    return false;
  }

 private:
  static constexpr int kFew = 128, kBlock = 8;

  /// Centre and sides, in double: exact, or nearly so.
  struct Sides {
    double x, y, w, h, longer;
    explicit Sides(const Box& b)
        : x(0.5 * (double{b.x1} + double{b.x2})),
          y(0.5 * (double{b.y1} + double{b.y2})),
          w(double{b.x2} - double{b.x1}),
          h(double{b.y2} - double{b.y1}),
          longer(std::max(w, h)) {}
  };

  struct Level {
    double size, per_size;  // of a cell, and its inverse
    int columns, rows;
    std::int64_t first;  // cell
    bool used = false;

    int column(double x) const { return static_cast<int>(std::clamp(x * per_size, 0.0, columns - 1.0)); }
    int row(double y) const { return static_cast<int>(std::clamp(y * per_size, 0.0, rows - 1.0)); }
    std::int64_t cell(int column, int row) const { return first + std::int64_t{row} * columns + column; }
    std::int64_t end() const { return first + std::int64_t{rows} * columns; }
  };

  /// Columns of kept boxes that share a cell: tested without branches, which vectorises.
  struct Block {
    float x1[kBlock] = {}, y1[kBlock] = {}, x2[kBlock] = {}, y2[kBlock] = {}, area[kBlock];
    int size = 0;
    std::int32_t next = -1;
    Block() { std::fill_n(area, kBlock, NAN); }  // free places: no comparison with NaN holds
  };

  /// Whether float arithmetic on the boxes is as good as exact, so that the bounds hold up to a small relative error.
  bool bounds_hold() const {
    return (threshold_ == 0 || threshold_ > 1e-6f) && std::all_of(boxes_->begin(), boxes_->end(), [](const Box& b) {
             const float area = box_area(b);
             return b.x2 >= b.x1 && b.y2 >= b.y1 && std::isfinite(area) && (area == 0 || area > 1e-20f);
           });
  }

  /// From a single cell to the pyramid.
  void lay_grids() {
    Box hull = boxes_->front();
    for (const Box& b : *boxes_) {
      hull = {std::min(hull.x1, b.x1), std::min(hull.y1, b.y1), std::max(hull.x2, b.x2), std::max(hull.y2, b.y2)};
    }
    const Sides extent(hull);
    const double n = static_cast<double>(boxes_->size());
    double size = std::max(std::sqrt(extent.w * extent.h / n), extent.longer / n);  // about 3 n cells at most
    if (!(size > 0)) return;
    do {
      levels_.push_back({.size = size,
                         .per_size = 1 / size,
                         .columns = 1 + static_cast<int>(extent.w / size),
                         .rows = 1 + static_cast<int>(extent.h / size),
                         .first = levels_.empty() ? 0 : levels_.back().end()});
      size *= 2;
    } while (levels_.back().size < extent.longer);
    left_ = hull.x1, top_ = hull.y1;
    t_ = std::min(1.0, double{threshold_}) * (1 - 1e-5);  // far more than areas are rounded by
    reach_ = 0.5 * (1 - t_) / (1 + t_);

    const std::vector<Block> blocks = std::exchange(blocks_, {});
    cells_.assign(levels_.back().end(), -1);
    for (const Block& b : blocks) {
      for (int i = 0; i < b.size; ++i) put({b.x1[i], b.y1[i], b.x2[i], b.y2[i]}, b.area[i]);
    }
  }

  /// The cell of a kept box.
  std::int64_t cell_of(const Box& box) {
    if (levels_.empty()) return 0;
    const Sides sides(box);
    auto level = levels_.begin();
    while (level->size < sides.longer) ++level;
    level->used = true;
    return level->cell(level->column(sides.x - left_), level->row(sides.y - top_));
  }

  void put(const Box& box, float area) {
    std::int32_t& first = cells_[cell_of(box)];
    if (first < 0 || blocks_[first].size == kBlock) {
      blocks_.emplace_back().next = first;
      first = static_cast<std::int32_t>(blocks_.size()) - 1;
    }
    Block& b = blocks_[first];
    const int i = b.size++;
    b.x1[i] = box.x1, b.y1[i] = box.y1, b.x2[i] = box.x2, b.y2[i] = box.y2, b.area[i] = area;
  }

  bool any_in_cell(std::int64_t cell, const Box& box, float area) const {
    const std::int32_t first = cells_[cell];
    if (first < 0) return false;
    bool any = false;
    with_widest_vectors([&any, first, blocks = blocks_.data(), box, area, threshold = threshold_] {
      for (std::int32_t i = first; i >= 0 && !any; i = blocks[i].next) {
        const Block& b = blocks[i];
        int hit = 0;
        for (int j = 0; j < kBlock; ++j) {
          hit |= overlaps_more({b.x1[j], b.y1[j], b.x2[j], b.y2[j]}, b.area[j], box, area, threshold);
        }
        any = hit;
      }
    });
    return any;
  }

  float threshold_;
  const std::vector<Box>* boxes_ = nullptr;  // all that may be added
  std::vector<Level> levels_;                // cells ever larger; empty: a single cell
  std::vector<std::int32_t> cells_;          // of all levels: their first block, -1 for none
  std::vector<Block> blocks_;
  double t_ = 0, reach_ = 0.5, left_ = 0, top_ = 0;
  int size_ = 0;
};

}  // namespace diopter::cpu
