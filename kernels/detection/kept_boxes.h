// The boxes that non-maximum suppression on the CPU has kept so far, and the search for one that suppresses another.
//
// Boxes that overlap by more than a threshold t are near each other and of similar size, so that only few kept ones need
// be compared. Along either axis, with widths a and b, centres d apart and an overlap o <= (a + b) / 2 - d,
//   IoU <= o / (a + b - o);     IoU > t   =>   o > t (a + b) / (1 + t),   t a < b < a / t,   d < (a + b) / 2 (1 - t) / (1 + t)
// Kept boxes lie in a pyramid of grids: level l has those whose longer side is at most its cells', and too long for level
// l - 1, in the cell of their centre. A search visits a handful of cells of a level or two.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/common/for_processor.h"
#include "kernels/detection/nms.h"

namespace diopter::cpu {

class KeptBoxes {
 public:
  explicit KeptBoxes(float threshold) : threshold_(threshold) {}

  /// Begins anew, for n boxes of which each may be added. They are gone through first: few ones, and those that the
  /// bounds above do not hold for, make do with a single cell.
  void start(const Box* boxes, std::int64_t n) {
    levels_.clear(), blocks_.clear();
    size_ = 0;
    const bool bounded = threshold_ == 0 || threshold_ > 1e-6f;
    if (n > kFew && bounded && std::all_of(boxes, boxes + n, regular)) lay_grids(boxes, n);
    cells_.assign(levels_.empty() ? 1 : levels_.back().end(), -1);
  }

  int size() const { return size_; }

  void add(const Box& box, float area) {
    std::int32_t& first = cells_[levels_.empty() ? 0 : cell_of(box)];
    if (first < 0 || blocks_[first].size == kBlock) {
      blocks_.emplace_back().next = first;
      first = static_cast<std::int32_t>(blocks_.size()) - 1;
    }
    Block& b = blocks_[first];
    const int i = b.size++;
    b.x1[i] = box.x1, b.y1[i] = box.y1, b.x2[i] = box.x2, b.y2[i] = box.y2, b.area[i] = area;
    ++size_;
  }

  /// Whether a kept box overlaps the box by more than the threshold.
  bool suppress(const Box& box, float area) const {
    if (levels_.empty()) return any_in_cell(cells_[0], box, area);
    const Sides sides(box);
    const double least = t_ * sides.longer, most = sides.longer / t_;  // sides of boxes that may overlap enough
    double previous = 0;
    for (const Level& level : levels_) {
      const bool none = !level.used || level.size < least || previous > most;
      previous = level.size;
      if (none) continue;
      const auto reach = [&](double side) { return 0.5 * (side + std::min(level.size, side / t_)) * (1 - t_) / (1 + t_); };
      const double dx = reach(sides.w), dy = reach(sides.h), x = sides.x - left_, y = sides.y - top_;
      const int last_row = level.row(y + dy), last_column = level.column(x + dx);
      for (int row = level.row(y - dy); row <= last_row; ++row) {
        for (int column = level.column(x - dx); column <= last_column; ++column) {
          const std::int32_t first = cells_[level.cell(column, row)];
          if (first >= 0 && any_in_cell(first, box, area)) return true;
        }
      }
    }
    return false;
  }

 private:
  static constexpr int kFew = 256, kBlock = 8;

  /// Centre and sides, in double: exact, or nearly so.
  struct Sides {
    double x, y, w, h, longer;
    explicit Sides(const Box& b)
        : x(0.5 * (double{b.x1} + double{b.x2})), y(0.5 * (double{b.y1} + double{b.y2})), w(double{b.x2} - double{b.x1}),
          h(double{b.y2} - double{b.y1}), longer(std::max(w, h)) {}
  };

  struct Level {
    double size;  // of a cell
    int columns = 1, rows = 1;
    std::int64_t first = 0;  // cell
    bool used = false;

    int column(double x) const { return static_cast<int>(std::clamp(x / size, 0.0, columns - 1.0)); }
    int row(double y) const { return static_cast<int>(std::clamp(y / size, 0.0, rows - 1.0)); }
    std::int64_t cell(int column, int row) const { return first + std::int64_t{row} * columns + column; }
    std::int64_t end() const { return cell(columns - 1, rows - 1) + 1; }
  };

  /// Columns of kept boxes that share a cell: tested without branches, which vectorises.
  struct Block {
    float x1[kBlock] = {}, y1[kBlock] = {}, x2[kBlock] = {}, y2[kBlock] = {}, area[kBlock];
    int size = 0;
    std::int32_t next = -1;
    Block() { std::fill_n(area, kBlock, NAN); }  // free places: no comparison with NaN holds
  };

  /// Whether float arithmetic on the box is as good as exact: the bounds hold up to a relative error.
  static bool regular(const Box& b) {
    const float area = box_area(b);
    return b.x2 >= b.x1 && b.y2 >= b.y1 && std::isfinite(area) && (area == 0 || area > 1e-20f);
  }

  void lay_grids(const Box* boxes, std::int64_t n) {
    Box hull = boxes[0];
    for (std::int64_t i = 1; i < n; ++i) {
      const Box& b = boxes[i];
      hull = {std::min(hull.x1, b.x1), std::min(hull.y1, b.y1), std::max(hull.x2, b.x2), std::max(hull.y2, b.y2)};
    }
    const Sides extent(hull);
    left_ = hull.x1, top_ = hull.y1;
    t_ = std::min(1.0, double{threshold_}) * (1 - 1e-5);  // far more than areas are rounded by
    const double count = static_cast<double>(n);
    double size = std::max(std::sqrt(extent.w * extent.h / count), extent.longer / count);  // 3 n cells at most
    if (!(size > 0)) return;
    do {
      levels_.push_back({.size = size,
                         .columns = 1 + static_cast<int>(extent.w / size),
                         .rows = 1 + static_cast<int>(extent.h / size),
                         .first = levels_.empty() ? 0 : levels_.back().end()});
      size *= 2;
    } while (levels_.back().size < extent.longer);
  }

  std::int64_t cell_of(const Box& box) {
    const Sides sides(box);
    auto level = levels_.begin();
    while (level->size < sides.longer) ++level;
    level->used = true;
    return level->cell(level->column(sides.x - left_), level->row(sides.y - top_));
  }

  bool any_in_cell(std::int32_t first, const Box& box, float area) const {
    bool any = false;
    for_processor([&any, first, blocks = blocks_.data(), box, area, threshold = threshold_] {
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
  double t_ = 0, left_ = 0, top_ = 0;
  std::vector<Level> levels_;        // cells ever larger; empty: a single cell
  std::vector<std::int32_t> cells_;  // of all levels: their first block, -1 for none
  std::vector<Block> blocks_;
  int size_ = 0;
};

}  // namespace diopter::cpu
