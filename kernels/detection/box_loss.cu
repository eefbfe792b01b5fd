#include "kernels/detection/box_loss.h"

#include "kernels/detection/head_cut.cuh"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// The four deltas of an anchor, moved at once where the address allows it.
template <class T>
struct alignas(4 * sizeof(T)) Deltas {
  T delta[4];
};

template <class T>
__device__ void write(T* p, const Deltas<T>& deltas) {
  if (reinterpret_cast<std::uintptr_t>(p) % sizeof(Deltas<T>) == 0) {
    *reinterpret_cast<Deltas<T>*>(p) = deltas;
  } else {
    for (int i = 0; i < 4; ++i) p[i] = deltas.delta[i];
  }
}

/// One thread per anchor of image blockIdx.y; only positive anchors, a few in a thousand, read deltas and boxes, all
/// others just write zeros. Losses are added over the block in a fixed order: block_losses [images, blocks]. Shared
/// memory: block_sum's.
template <class T>
__global__ void __launch_bounds__(kThreads)
    box_loss_kernel(const __grid_constant__ BoxLossArgs<T> args, std::int64_t anchors, float* block_losses) {
  const int image = blockIdx.y;
  std::int64_t i = thread_index();
  float loss = 0;
  if (i < anchors) {
    // Where the anchor's deltas lie. level_of leaves the index within the level.
    const std::int64_t anchor = image * anchors + i;
    const int l = args.grid.level_of(i);
    const HeadLevel<T>& level = args.deltas.level[l];
    const std::int64_t at = args.deltas.offset(l, image, static_cast<int>(i));

    // Loss and derivative of a positive anchor; any other keeps zeros.
    float derivative[4] = {0, 0, 0, 0};
    if (args.labels[anchor] >= 0) {
      const T* x = level.values + at;
      const float deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])};
      const Box target = box_at(args.truth.boxes, args.truth.offsets[image] + args.matches[anchor]);
      const Box box = args.grid.box(l, i);
      loss = box_loss_value(args.kind, args.beta, args.coder, box, target, deltas, derivative);
      if (args.ious) args.ious[anchor] = box_iou(decode_box(args.coder, box, deltas), target);
      if (level.gradient) {
        for (float& d : derivative) d *= args.scale[image];
      }
    }

    // Every anchor's gradient is written whole by its own thread: nothing needs to be cleared before.
    if (level.gradient) {
      write(level.gradient + at,
            Deltas<T>{to<T>(derivative[0]), to<T>(derivative[1]), to<T>(derivative[2]), to<T>(derivative[3])});
    }
  }

  // The block's sum, threads behind the last anchor adding 0: the whole block must call block_sum.
  loss = block_sum<kThreads>(loss);
  if (threadIdx.x == 0) block_losses[std::int64_t{image} * gridDim.x + blockIdx.x] = loss;
}

}  // namespace

template <class T>
void box_loss(const BoxLossArgs<T>& args) {
  const std::int64_t anchors = args.deltas.anchors();
  const int images = args.deltas.images;
  const unsigned blocks = blocks_for(anchors, kThreads);
  const Scratch<float> block_losses(std::int64_t{images} * blocks);
  launch(box_loss_kernel<T>, {.grid = {blocks, static_cast<unsigned>(images)}, .block = kThreads}, args, anchors,
         block_losses.data());
  sum_blocks(images, static_cast<int>(blocks), block_losses.data(), args.losses);
}

template void box_loss(const BoxLossArgs<float>&);
template void box_loss(const BoxLossArgs<bf16>&);

}  // namespace diopter::cuda
