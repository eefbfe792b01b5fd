#include "kernels/detection/weighting/gradient_density.h"

#include "kernels/detection/head_cut.cuh"
#include "kernels/detection/loss_list.h"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
static_assert(kThreads >= kMostDensityBins);  // a thread clears and adds a bin
constexpr int kLogits = 32;                   // of a thread

/// One thread: at most 256 bins.
__global__ void density_weights_kernel(DensityWeightsArgs args) { compute_density_weights(args); }

/// A block takes kThreads * kLogits values of a level of image blockIdx.y, a thread every kThreads-th of them, so that
/// warps read neighbouring logits. Nearly all logits fall into the same bin, where atomics would queue: a thread counts
/// a run of equal bins in a register, and adds it to the block's histogram when another bin begins. args.counts is zero
/// before. Integer atomics only: the order does not show. Shared memory: the histogram, 1 KB.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads)
    gradient_histogram_kernel(const __grid_constant__ GradientHistogramArgs<T> args,
                              const __grid_constant__ HeadTiles tiles, Divider by_classes,
                              const __grid_constant__ Loss loss, int bins) {
  __shared__ std::int32_t histogram[kMostDensityBins];
  const int image = blockIdx.y, l = tiles.level_of(blockIdx.x), thread = threadIdx.x;
  const HeadRuns& runs = tiles.level[l];
  const T* x = args.logits.level[l].values + std::int64_t{image} * runs.size;
  const std::int32_t* labels = args.labels + image * tiles.anchors + runs.first_anchor;
  const std::uint32_t first = (blockIdx.x - runs.first_block) * (kThreads * kLogits) + thread;

  if (thread < bins) histogram[thread] = 0;
  __syncthreads();

  int bin = 0, run = 0;
  for (int i = 0; i < kLogits; ++i) {
    const std::uint32_t e = first + i * kThreads;  // below 2^31: see HeadTiles
    const HeadValue value = runs.value(e);
    if (e >= runs.size || value.left <= 0) continue;
    const std::uint32_t anchor = by_classes.quotient(value.index);
    const std::int32_t label = labels[anchor];
    if (label == kIgnore) continue;
    const std::int32_t k = static_cast<std::int32_t>(value.index - anchor * by_classes.divisor());
    const int mine = density_bin(loss_on_gpu(loss, static_cast<float>(x[e]), k == label).derivative, bins);
    if (mine != bin) {
      if (run > 0) atomicAdd(&histogram[bin], run);
      bin = mine;
      run = 0;
    }
    ++run;
  }
  if (run > 0) atomicAdd(&histogram[bin], run);

  __syncthreads();
  if (thread < bins && histogram[thread] > 0) atomicAdd(&args.counts[thread], histogram[thread]);
}

template <class T, class Loss>
void histogram_of(const GradientHistogramArgs<T>& args, const Loss& loss, int bins) {
  const HeadTiles tiles(args.logits, kThreads * kLogits);
  zero(args.counts, bins * sizeof(std::int32_t));
  launch(gradient_histogram_kernel<T, Loss>,
         {.grid = {static_cast<unsigned>(tiles.blocks), static_cast<unsigned>(args.logits.images)}, .block = kThreads},
         args, tiles, Divider(static_cast<std::uint32_t>(args.logits.channels)), loss, bins);
}

}  // namespace

template <class T>
void gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss& any_loss) {
  with_density_bins(any_loss, [&](const auto& fast, int bins) { histogram_of(args, fast, bins); });
}

template void gradient_histogram(const GradientHistogramArgs<float>&, const AnyLoss&);
template void gradient_histogram(const GradientHistogramArgs<bf16>&, const AnyLoss&);

void density_weights(const DensityWeightsArgs& args) { launch(density_weights_kernel, {.grid = 1, .block = 1}, args); }

}  // namespace diopter::cuda
