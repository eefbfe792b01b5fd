#include "kernels/detection/anchors.h"

#include "kernels/base/parallel.h"

namespace diopter::cpu {

void generate_anchors(const AnchorGrid& grid, float* boxes) {
  for (int l = 0; l < grid.levels; ++l) {
    float* level_boxes = boxes + grid.level_offset(l) * 4;
    parallel_for(grid.level_size(l), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Box box = grid.box(l, i);
        level_boxes[i * 4 + 0] = box.x1;
        level_boxes[i * 4 + 1] = box.y1;
        level_boxes[i * 4 + 2] = box.x2;
        level_boxes[i * 4 + 3] = box.y2;
      }
    });
  }
}

}  // namespace diopter::cpu
