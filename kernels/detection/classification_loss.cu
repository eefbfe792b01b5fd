#include "kernels/detection/classification_loss.h"

#include "kernels/detection/head_cut.cuh"
#include "kernels/detection/loss_list.h"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPacks = 4;  // 16-byte packs a thread: that many loads are under way at once
constexpr unsigned kAllPacks = (1u << kPacks) - 1;

/// Logits of a block.
template <class T>
inline constexpr int kTile = kPack<T>* kPacks* kThreads;

/// Whether the anchors from `first` to `last` are all background. The whole block calls, with the same anchors, of
/// which each thread looks at its share.
__device__ bool all_background(const std::int32_t* labels, std::uint32_t first, std::uint32_t last) {
  bool others = false;
#pragma unroll 1
  for (std::uint32_t anchor = first + threadIdx.x; anchor <= last; anchor += kThreads) {
    others |= labels[anchor] != kBackground;
  }
  return !__syncthreads_or(others);
}

/// Which of a thread's packs are negative logits and nothing else, a bit per pack: no positive, no ignored anchor, no
/// padding, not the end of the level. place(p) is where pack p lies. A pack of at most `classes` elements touches one
/// anchor, or that and the next one, so two labels tell. Where the pack is not a whole one, anchor 0 stands in: reading
/// its label is allowed (the level has anchors), and `whole` is false.
template <int kSize, class Place>
__device__ unsigned negative_packs(const HeadRuns& runs, Divider by_classes, const std::int32_t* labels, Place place) {
  const int classes = static_cast<int>(by_classes.divisor());
  unsigned negative = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const std::uint32_t e = place(p);
    const HeadValue value = runs.value(e);
    const bool whole = kSize <= classes && e < runs.size && value.left >= kSize;
    const int anchor = whole ? static_cast<int>(by_classes.quotient(value.index)) : 0;
    const int k = static_cast<int>(value.index) - anchor * classes, next = classes - k;  // the next anchor's class 0
    const std::int32_t label = labels[anchor], next_label = labels[whole && next < kSize ? anchor + 1 : anchor];
    const bool positive = static_cast<unsigned>(label - k) < kSize || (next_label >= 0 && next_label + next < kSize);
    if (whole && !positive && label != kIgnore && next_label != kIgnore) negative |= 1u << p;
  }
  return negative;
}

/// Loss of the logit of class k of an anchor with this label, `anchor` counted over all images. It takes the exponent
/// of its class, where the loss has such; a positive one its quality, where the loss has soft targets, and the weight
/// of its class.
template <class T, class Loss>
__device__ ValueAndDerivative<float> anchor_loss(const ClassificationLossArgs<T>& args, const Loss& loss, float x,
                                                 std::int32_t k, std::int32_t label, std::int64_t anchor) {
  const bool positive = k == label;
  ValueAndDerivative<float> l;
  if constexpr (FocusesByClass<Loss>) {
    l = loss_on_gpu(args.class_focusing ? loss.of_class(args.class_focusing[k]) : loss, x, positive);
  } else {
    l = loss_on_gpu(loss, x, positive);
  }
  if constexpr (SoftTargets<Loss>) {
    if (positive && args.qualities) l = loss.with_quality(x, args.qualities[anchor], GpuLogistic<>{});
  }
  const float weight = positive && args.class_weights ? args.class_weights[k] : 1.0f;
  return {weight * l.value, weight * l.derivative};
}

/// Blocks per multiprocessor that registers leave room for; 0: the compiler's choice. Left to it, the last kind spills.
template <class T, class Loss>
[[maybe_unused]] constexpr int kBlocks = 0;
template <class Loss>
constexpr int kBlocks<float, DensityWeighted<Loss>> = 6;

/// A thread takes kPacks packs of 16 bytes, kThreads packs apart, so that a warp reads and writes 512 bytes in a row; a
/// block takes a tile of kThreads * kPacks packs of one level of one image (blockIdx.y).
/// Nine of ten tiles belong to background anchors alone, which the block finds out with a label per thread, while the
/// logits are on their way. In the others each thread looks at its packs, of which almost all are negative logits and
/// nothing else. A pack with a positive or an ignored logit, with padding or the end of the level, and every pack where
/// memory is not aligned, is gone through element by element; so is everything where the loss focuses by class.
/// Losses are added in a fixed order, first per thread, then over the block, into block_losses [images, blocks].
/// Shared memory: that of block_sum, 32 bytes.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads, kBlocks<T, Loss>)
    classification_loss_kernel(const __grid_constant__ ClassificationLossArgs<T> args,
                               const __grid_constant__ HeadTiles tiles, Divider by_classes,
                               const __grid_constant__ Loss loss, float* block_losses) {
  constexpr int kSize = kPack<T>;
  const int image = blockIdx.y, l = tiles.level_of(blockIdx.x);
  const HeadRuns& runs = tiles.level[l];
  const HeadLevel<T>& level = args.logits.level[l];
  const T* x = level.values + std::int64_t{image} * runs.size;
  T* dx = level.gradient ? level.gradient + std::int64_t{image} * runs.size : nullptr;
  const float scale = dx ? args.scale[image] : 0.0f;
  const std::int32_t* labels = args.labels + image * tiles.anchors + runs.first_anchor;
  const std::uint32_t begin = (blockIdx.x - runs.first_block) * kTile<T>;
  const int first = static_cast<int>(begin + threadIdx.x * kSize);
  const auto place = [&](int p) { return first + p * (kThreads * kSize); };  // below 2^31: see HeadTiles

  // Losses of a pack of negative logits, gradients in the places of the logits.
  float sum = 0;
  const auto add_negatives = [&](Pack<T> logits, int p) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) {
      const ValueAndDerivative<float> element = loss_on_gpu(loss, logits[i], false);
      sum += element.value;
      logits[i] = scale * element.derivative;
    }
    if (dx) store(dx + place(p), logits);
  };

  // A whole tile of values without gaps: all of its loads start before anything is waited for. They are in bounds, and
  // not looked at if the tile turns out not to be background.
  const bool packed = !FocusesByClass<Loss> && aligned(x, dx),
             gapless = runs.length == runs.size && begin + kTile<T> <= runs.size;
  bool background = packed && gapless;
  if (background) {  // the same for all threads
    Pack<T> logits[kPacks];
#pragma unroll
    for (int p = 0; p < kPacks; ++p) logits[p] = load(x + place(p));
    background = all_background(labels, by_classes.quotient(begin), by_classes.quotient(begin + kTile<T> - 1));
    if (background) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) add_negatives(logits[p], p);
    }
  }

  // Any other tile: first the packs that are negative logits and nothing else.
  if (!background) {
    const unsigned negative = packed ? negative_packs<kSize>(runs, by_classes, labels, place) : 0;
    Pack<T> logits[kPacks];
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      if (negative >> p & 1) logits[p] = load(x + place(p));
    }
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      if (negative >> p & 1) add_negatives(logits[p], p);
    }

    // The rest, element by element: places past the level and padding are left alone, ignored anchors get gradient 0
    // and their logits may be anything.
    for (int i = 0; i < kPacks * kSize && negative != kAllPacks; ++i) {
      const std::uint32_t e = place(i / kSize) + i % kSize;
      const HeadValue value = runs.value(e);
      if (negative >> i / kSize & 1 || e >= runs.size || value.left <= 0) continue;
      const std::uint32_t anchor = by_classes.quotient(value.index);
      const std::int32_t label = labels[anchor];
      const std::int32_t k = static_cast<std::int32_t>(value.index - anchor * by_classes.divisor());
      float gradient = 0;
      if (label != kIgnore) {
        const ValueAndDerivative<float> element =
            anchor_loss(args, loss, static_cast<float>(x[e]), k, label, labels - args.labels + anchor);
        sum += element.value;
        gradient = scale * element.derivative;
      }
      if (dx) dx[e] = to<T>(gradient);
    }
  }

  // The block's sum, in a fixed tree; every thread of the block is here.
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) block_losses[std::int64_t{image} * tiles.blocks + blockIdx.x] = sum;
}

template <class T, class Loss>
void loss_of(const ClassificationLossArgs<T>& args, const Loss& loss) {
  const int images = args.logits.images;
  const HeadTiles tiles(args.logits, kTile<T>);
  const Divider by_classes(static_cast<std::uint32_t>(args.logits.channels));
  const Scratch<float> block_losses(std::int64_t{images} * tiles.blocks);
  launch(classification_loss_kernel<T, Loss>,
         {.grid = {static_cast<unsigned>(tiles.blocks), static_cast<unsigned>(images)}, .block = kThreads}, args, tiles,
         by_classes, loss, block_losses.data());
  sum_blocks(images, tiles.blocks, block_losses.data(), args.losses);
}

}  // namespace

template <class T>
void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& loss) {
  visit_loss(loss, [&](const auto& l) {
    with_kernel_version(l, args.density_weights, [&](const auto& version) { loss_of(args, version); });
  });
}

template void classification_loss(const ClassificationLossArgs<float>&, const AnyLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cuda
