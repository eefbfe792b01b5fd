#include "kernels/detection/classification_loss.h"

#include "kernels/detection/head_cut.cuh"
#include "kernels/detection/loss_list.h"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPacks = 4;  // 16-byte packs a thread: that many loads are under way at once

/// A thread takes kPacks packs of 16 bytes, kThreads packs apart, so that a warp reads and writes 512 bytes in a row; a
/// block takes kThreads * kPacks packs of one level of one image (blockIdx.y). Almost all packs are negative logits and
/// nothing else. A pack with a positive or an ignored logit, with padding or the end of the level, and every pack where
/// memory is not aligned, is gone through element by element.
/// Losses are added in a fixed order, first per thread, then over the block, into block_losses [images, blocks].
/// Shared memory: that of block_sum, 32 bytes.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads)
    classification_loss_kernel(const __grid_constant__ ClassificationLossArgs<T> args,
                               const __grid_constant__ HeadTiles tiles, Divider by_classes,
                               const __grid_constant__ Loss loss, float* block_losses) {
  constexpr int kSize = kPack<T>;
  const int image = blockIdx.y, l = tiles.level_of(blockIdx.x), classes = args.logits.channels;
  const HeadRuns runs = tiles.level[l];
  const HeadLevel<T>& level = args.logits.level[l];
  const T* x = level.values + std::int64_t{image} * runs.size;
  T* dx = level.gradient ? level.gradient + std::int64_t{image} * runs.size : nullptr;
  const float scale = dx ? args.scale[image] : 0.0f;
  const std::int32_t* labels = args.labels + image * tiles.anchors + runs.first_anchor;
  const bool packed = aligned(x, dx) && kSize <= classes;  // then a pack touches at most two anchors
  const std::uint32_t first = ((blockIdx.x - runs.first_block) * kPacks * kThreads + threadIdx.x) * kSize;
  const auto place = [&](int p) { return first + p * kThreads * kSize; };

  // Labels: is the pack nothing but negative logits? A pack of at most `classes` elements touches one anchor, or that
  // and the next one, so two labels tell. Where the pack is not a whole one, anchor 0 stands in: reading its label is
  // allowed (the level has anchors), and `whole` is false.
  unsigned all_negative = 0;  // a bit per pack
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const HeadValue value = runs.value(place(p));
    const bool whole = packed && place(p) < runs.size && value.left >= kSize;
    const int anchor = whole ? static_cast<int>(by_classes.quotient(value.index)) : 0;
    const int k = static_cast<int>(value.index) - anchor * classes, next = classes - k;  // the next anchor's class 0
    const std::int32_t label = labels[anchor], next_label = labels[whole && next < kSize ? anchor + 1 : anchor];
    const bool positive = static_cast<unsigned>(label - k) < kSize || (next_label >= 0 && next_label + next < kSize);
    if (whole && !positive && label != kIgnore && next_label != kIgnore) all_negative |= 1u << p;
  }

  // Loads: those of all packs start before the first is waited for. Aligned and within the level, since whole.
  Pack<T> logits[kPacks];
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    if (all_negative >> p & 1) logits[p] = load(x + place(p));
  }

  // The usual case: losses of negative logits, gradients in their places.
  float sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    if (!(all_negative >> p & 1)) continue;
#pragma unroll
    for (int i = 0; i < kSize; ++i) {
      const ValueAndDerivative<float> element = loss(logits[p][i], false);
      sum += element.value;
      logits[p][i] = scale * element.derivative;
    }
    if (dx) store(dx + place(p), logits[p]);
  }

  // The rest, element by element: places past the level and padding are left alone, ignored anchors get gradient 0 and
  // their logits, which may be anything, are not read.
  for (int i = 0; i < kPacks * kSize && all_negative != (1u << kPacks) - 1; ++i) {
    const std::uint32_t e = place(i / kSize) + i % kSize;
    const HeadValue value = runs.value(e);
    if (all_negative >> i / kSize & 1 || e >= runs.size || value.left <= 0) continue;
    const std::uint32_t anchor = by_classes.quotient(value.index);
    const std::int32_t label = labels[anchor], k = static_cast<std::int32_t>(value.index - anchor * classes);
    float gradient = 0;
    if (label != kIgnore) {
      const ValueAndDerivative<float> element = loss(static_cast<float>(x[e]), label == k);
      sum += element.value;
      gradient = scale * element.derivative;
    }
    if (dx) dx[e] = to<T>(gradient);
  }

  // The block's sum, in a fixed tree; every thread of the block is here.
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) block_losses[std::int64_t{image} * tiles.blocks + blockIdx.x] = sum;
}

template <class T, class Loss>
void loss_of(const ClassificationLossArgs<T>& args, const Loss& loss) {
  const int images = args.logits.images;
  const HeadTiles tiles(args.logits, kThreads * kPacks * kPack<T>);
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
  std::visit([&](const auto& l) { with_fast_version(l, [&](const auto& fast) { loss_of(args, fast); }); }, loss);
}

template void classification_loss(const ClassificationLossArgs<float>&, const AnyLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cuda
