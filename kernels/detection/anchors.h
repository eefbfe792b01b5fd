// Anchors, never stored: the box of an anchor follows from its level, pixel and cell (Lin et al. 2017, section 4).
//
//   box(level, y, x, a) = cell[a] + ((x + offset) stride_x, (y + offset) stride_y) twice
//
// An anchor's index within an image counts level after level, then y, x and cell: the order of the head's output.
//
// Start here: kernels/plain/anchors.h
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

inline constexpr int kMaxCells = 16;

struct AnchorLevel {
  int h, w;                  // grid
  float stride_x, stride_y;  // pixels between neighbours
  Box cell[kMaxCells];       // around the origin
};

struct AnchorGrid {
  int levels = 0;
  int cells = 0;     // anchors per pixel, the same on all levels, at most kMaxCells
  float offset = 0;  // 0: centres on the pixel's corner (torchvision, detectron2); 0.5: on its middle
  AnchorLevel level[kMaxLevels] = {};

  DIOPTER_HD std::int64_t level_size(int l) const { return std::int64_t{level[l].h} * level[l].w * cells; }
  /// Index of the first anchor of level l; level_offset(levels) is the number of anchors of an image.
  DIOPTER_HD std::int64_t level_offset(int l) const {
    std::int64_t sum = 0;
    for (int i = 0; i < l; ++i) sum += level_size(i);
    return sum;
  }
  DIOPTER_HD std::int64_t size() const { return level_offset(levels); }

  /// Level of anchor `index` of the image; `index` becomes the one within the level.
  DIOPTER_HD int level_of(std::int64_t& index) const {
    int l = 0;
    for (; index >= level_size(l); ++l) index -= level_size(l);
    return l;
  }

  /// Distance along x (or y) by which the cells of the pixel in this column (or row) are moved.
  DIOPTER_HD float shift(unsigned pixel, float stride) const {
    return mul_rn(add_rn(static_cast<float>(pixel), offset), stride);
  }

  /// Anchor `index` of level l, index counted within the level and below 2^31.
  DIOPTER_HD Box box(int l, std::int64_t index) const {
    const AnchorLevel& g = level[l];
    // 32 bits, because 64-bit division is slow on GPUs; unsigned, because signed is slower too.
    const unsigned n = cells, w = g.w, i = static_cast<unsigned>(index), pixel = i / n, a = i % n;
    const float x = shift(pixel % w, g.stride_x), y = shift(pixel / w, g.stride_y);
    const Box& c = g.cell[a];
    return {add_rn(c.x1, x), add_rn(c.y1, y), add_rn(c.x2, x), add_rn(c.y2, y)};
  }
};

}  // namespace diopter

DIOPTER_KERNEL(
    /// boxes [grid.size(), 4]: every anchor of an image, for tests and tools; training never stores them.
    void generate_anchors(const AnchorGrid& grid, float* boxes))

namespace diopter::least_work {

inline LeastWork generate_anchors(const AnchorGrid& grid, const float*) { return passes<Box>(1, grid.size()); }

}  // namespace diopter::least_work
