#include "kernels/detection/pairs/box_pairs.h"

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// One thread per overlap, a row of the matrix after another: neighbours write neighbouring places and share boxes1[i]
/// but where a row ends. No shared memory.
__global__ void __launch_bounds__(kThreads) pairwise_iou_kernel(PairwiseIouArgs args) {
  const std::int64_t at = thread_index();
  if (at >= args.rows * args.columns) return;
  const std::int64_t i = at / args.columns, j = at - i * args.columns;
  args.ious[at] = box_iou(box_at(args.boxes1, i), box_at(args.boxes2, j));
}

/// One thread per pair, which reads and writes 16 neighbouring bytes of each array. No shared memory.
__global__ void __launch_bounds__(kThreads) box_pair_loss_kernel(BoxPairLossArgs args) {
  const std::int64_t i = thread_index();
  if (i >= args.n) return;
  float derivative[4];
  args.losses[i] =
      box_pair_loss_value(args.kind, box_at(args.boxes, i), box_at(args.targets, i), args.epsilon, derivative);
  if (args.gradient) set_box(args.gradient, i, {derivative[0], derivative[1], derivative[2], derivative[3]});
}

}  // namespace

void pairwise_iou(const PairwiseIouArgs& args) {
  launch(pairwise_iou_kernel, {.grid = blocks_for(args.rows * args.columns, kThreads), .block = kThreads}, args);
}

void box_pair_loss(const BoxPairLossArgs& args) {
  launch(box_pair_loss_kernel, {.grid = blocks_for(args.n, kThreads), .block = kThreads}, args);
}

}  // namespace diopter::cuda
