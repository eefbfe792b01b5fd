#include "kernels/detection/anchors.h"

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// One thread per anchor of an image. No shared memory; every box is computed by itself.
__global__ void __launch_bounds__(kThreads)
    anchors_kernel(const __grid_constant__ AnchorGrid grid, std::int64_t anchors, float* boxes) {
  const std::int64_t anchor = thread_index();
  if (anchor >= anchors) return;
  std::int64_t in_level = anchor;
  const int l = grid.level_of(in_level);
  set_box(boxes, anchor, grid.box(l, in_level));
}

}  // namespace

void generate_anchors(const AnchorGrid& grid, float* boxes) {
  const std::int64_t anchors = grid.size();
  launch(anchors_kernel, {.grid = blocks_for(anchors, kThreads), .block = kThreads}, grid, anchors, boxes);
}

}  // namespace diopter::cuda
