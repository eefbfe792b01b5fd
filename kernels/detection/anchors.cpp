#include "kernels/detection/anchors.h"

#include "kernels/base/parallel.h"

namespace diopter::cpu {

void generate_anchors(const AnchorGrid& grid, float* boxes) {
  for (int l = 0; l < grid.levels; ++l) {
    float* level_boxes = boxes + grid.level_offset(l) * 4;
    parallel_for(grid.level_size(l), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) set_box(level_boxes, i, grid.box(l, i));
    });
  }
}

}  // namespace diopter::cpu
