// Anchors, the shortest way. The fast versions: kernels/detection/anchors.{h,cpp,cu}.
//
//   box(level, y, x, cell) = cell + ((x + offset) stride_x, (y + offset) stride_y) twice
#pragma once

#include "kernels/detection/anchors.h"

namespace diopter::plain {

/// boxes [grid.size(), 4]: level after level, then y, x and cell.
inline void generate_anchors(const AnchorGrid& grid, float* boxes) {
  std::int64_t i = 0;
  for (int l = 0; l < grid.levels; ++l) {
    const AnchorLevel& level = grid.level[l];
    for (int y = 0; y < level.h; ++y) {
      for (int x = 0; x < level.w; ++x) {
        for (int a = 0; a < grid.cells; ++a) {
          const Box& cell = level.cell[a];
          const float right = (static_cast<float>(x) + grid.offset) * level.stride_x;
          const float down = (static_cast<float>(y) + grid.offset) * level.stride_y;
          set_box(boxes, i++, {cell.x1 + right, cell.y1 + down, cell.x2 + right, cell.y2 + down});
        }
      }
    }
  }
}

}  // namespace diopter::plain
