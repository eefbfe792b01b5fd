#include "kernels/detection/anchors.h"

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// One thread per anchor of an image. No shared memory; every box is computed by itself.
__global__ void __launch_bounds__(kThreads)
    anchors_kernel(const __grid_constant__ AnchorGrid grid, std::int64_t anchors, float* boxes) {
  std::int64_t i = thread_index();
  if (i >= anchors) return;
  float* out = boxes + i * 4;
  const int l = grid.level_of(i);
  const Box box = grid.box(l, i);
  out[0] = box.x1;
  out[1] = box.y1;
  out[2] = box.x2;
  out[3] = box.y2;
}

}  // namespace

void generate_anchors(const AnchorGrid& grid, float* boxes) {
  const std::int64_t anchors = grid.size();
  launch(anchors_kernel, {.grid = blocks_for(anchors, kThreads), .block = kThreads}, grid, anchors, boxes);
}

}  // namespace diopter::cuda
