#include "kernels/detection/pairs/elementwise_loss.h"

#include "kernels/detection/head_cut.cuh"
#include "kernels/detection/loss_list.h"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // logits, kThreads apart: a warp reads and writes 32 in a row
constexpr int kTile = kPerThread * kThreads;

template <class Loss>
__device__ ValueAndDerivative<float> loss_of_element(const Loss& loss, float x, float target) {
  if constexpr (SoftTargets<Loss>) {
    return loss.with_quality(x, target, GpuLogistic<>{});
  } else {
    return loss_on_gpu(loss, x, target > 0.5f);
  }
}

/// A block takes kTile logits. Losses are added in a fixed order, first per thread, then over the block, into
/// block_sums. Shared memory: that of block_sum, 32 bytes.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads)
    elementwise_loss_kernel(const __grid_constant__ ElementwiseLossArgs<T> args, const __grid_constant__ Loss loss,
                            float* block_sums) {
  const std::int64_t first = std::int64_t{blockIdx.x} * kTile + threadIdx.x;
  float sum = 0;
#pragma unroll
  for (int p = 0; p < kPerThread; ++p) {
    const std::int64_t i = first + p * kThreads;
    if (i >= args.n) continue;
    const ValueAndDerivative<float> l = loss_of_element(loss, static_cast<float>(args.logits[i]), args.targets[i]);
    sum += l.value;
    if (args.losses) args.losses[i] = l.value;
    if (args.gradient) args.gradient[i] = to<T>(args.scale * l.derivative);
  }
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) block_sums[blockIdx.x] = args.scale * sum;
}

template <class T, class Loss>
void loss_of(const ElementwiseLossArgs<T>& args, const Loss& loss) {
  const unsigned blocks = blocks_for((args.n + kPerThread - 1) / kPerThread, kThreads);
  const Scratch<float> block_sums(blocks);
  launch(elementwise_loss_kernel<T, Loss>, {.grid = blocks, .block = kThreads}, args, loss, block_sums.data());
  if (args.sum) sum_blocks(1, static_cast<int>(blocks), block_sums.data(), args.sum);
}

}  // namespace

template <class T>
void elementwise_loss(const ElementwiseLossArgs<T>& args, const AnyLoss& loss) {
  visit_loss(loss, [&](const auto& l) { with_fast_version(l, [&](const auto& fast) { loss_of(args, fast); }); });
}

template void elementwise_loss(const ElementwiseLossArgs<float>&, const AnyLoss&);
template void elementwise_loss(const ElementwiseLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cuda
