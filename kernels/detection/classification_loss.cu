#include "kernels/detection/classification_loss.h"

#include "kernels/common/scratch.h"
#include "kernels/detection/head_tiles.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPacks = 4;  // 16-byte packs a thread: that many loads are under way at once

/// What the elements of a pack are, one bit each. An element with no bit is a negative logit, as almost all are.
struct Roles {
  unsigned positive = 0;  // the class of its anchor
  unsigned ignored = 0;   // logit of an ignored anchor: not read, gradient 0
  unsigned absent = 0;    // padding, or behind the level's end: neither read nor written
};

/// Roles of the kSize elements from `first` on: goes through the anchors, usually one, whose rows the pack touches.
template <int kSize, class T>
__device__ Roles roles_of(const HeadLevels<T>& heads, const HeadTiles& tiles, int l, const std::int32_t* labels,
                          std::uint32_t first) {
  const HeadLevel<T>& level = heads.level[l];
  const int classes = heads.channels, padding = static_cast<int>(level.pixel_stride) - heads.cells * classes;
  auto [pixel, channel] = tiles.place(l, first);
  int cell = static_cast<int>(tiles.channels.quotient(channel));
  if (cell > heads.cells) cell = heads.cells;  // the padding counts as one more cell
  int skipped = channel - cell * classes;
  Roles roles;
  for (int i = 0; i < kSize;) {
    const int left = (cell < heads.cells ? classes : padding) - skipped, n = min(left, kSize - i);
    const unsigned run = ((1u << n) - 1) << i;
    if (cell == heads.cells || pixel >= level.pixels) {
      roles.absent |= run;
    } else {
      const std::int32_t label = labels[std::int64_t{pixel} * heads.cells + cell];
      if (label == kIgnore) {
        roles.ignored |= run;
      } else if (label >= skipped && label < skipped + n) {
        roles.positive |= 1u << (i + label - skipped);
      }
    }
    i += n;
    skipped = 0;
    if (++cell > heads.cells) {
      cell = 0;
      ++pixel;
    }
  }
  return roles;
}

/// A thread takes kPacks packs of 16 bytes, kThreads packs apart, so that a warp reads and writes 512 bytes in a row;
/// a block takes kThreads * kPacks packs of one level of one image (blockIdx.y). Losses are added per thread in the order
/// of the elements, then over the block in a fixed order: block_losses [images, blocks]. Shared memory: block_sum's.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads)
    classification_loss_kernel(const __grid_constant__ ClassificationLossArgs<T> args,
                               const __grid_constant__ HeadTiles tiles, const __grid_constant__ Loss loss,
                               float* block_losses) {
  constexpr int kSize = kPack<T>;
  constexpr unsigned kAll = (1u << kSize) - 1;
  const int image = blockIdx.y, l = tiles.level_of(blockIdx.x);
  const HeadLevel<T>& level = args.logits.level[l];
  const std::int64_t start = image * level.pixels * level.pixel_stride;
  const T* x = level.values + start;
  T* dx = level.gradient ? level.gradient + start : nullptr;
  const bool packed = aligned(x, dx);
  const float scale = dx ? args.scale[image] : 0.0f;
  const std::int32_t* labels = args.labels + image * tiles.anchors + tiles.first_anchor[l];
  const auto first = [&](int p) {
    return (((blockIdx.x - tiles.first_block[l]) * kPacks + p) * kThreads + threadIdx.x) * kSize;
  };

  Roles roles[kPacks];
  Pack<T> logits[kPacks];
#pragma unroll
  for (int p = 0; p < kPacks; ++p) roles[p] = roles_of<kSize>(args.logits, tiles, l, labels, first(p));
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const unsigned read = ~(roles[p].ignored | roles[p].absent);
    if ((read & kAll) == kAll && packed) {
      logits[p] = load(x + first(p));
    } else {
      for (int i = 0; i < kSize; ++i) logits[p][i] = read >> i & 1 ? static_cast<float>(x[first(p) + i]) : 0.0f;
    }
  }

  float sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    Pack<T>& v = logits[p];  // becomes the gradient
    const unsigned absent = roles[p].absent, unread = roles[p].ignored | absent;
    if ((roles[p].positive | unread) == 0) {
#pragma unroll
      for (int i = 0; i < kSize; ++i) {
        const ValueAndDerivative<float> element = loss(v[i], false);
        sum += element.value;
        v[i] = scale * element.derivative;
      }
    } else {
#pragma unroll
      for (int i = 0; i < kSize; ++i) {
        const ValueAndDerivative<float> element = loss(v[i], roles[p].positive >> i & 1);
        sum += unread >> i & 1 ? 0.0f : element.value;
        v[i] = unread >> i & 1 ? 0.0f : scale * element.derivative;
      }
    }
    if (!dx) continue;
    if (absent == 0 && packed) {
      store(dx + first(p), v);
    } else {
      for (int i = 0; i < kSize; ++i) {
        if (!(absent >> i & 1)) dx[first(p) + i] = to<T>(v[i]);
      }
    }
  }
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) block_losses[std::int64_t{image} * tiles.blocks + blockIdx.x] = sum;
}

}  // namespace

template <class T, class Loss>
void classification_loss(const ClassificationLossArgs<T>& args, const Loss& loss) {
  const int images = args.logits.images;
  const HeadTiles tiles(args.logits, kThreads * kPacks * kPack<T>);
  const Scratch<float> block_losses(std::int64_t{images} * tiles.blocks);
  with_fastest_form(loss, [&](const auto& form) {
    launch(classification_loss_kernel<T, std::decay_t<decltype(form)>>,
           {.grid = {static_cast<unsigned>(tiles.blocks), static_cast<unsigned>(images)}, .block = kThreads}, args, tiles,
           form, block_losses.get());
  });
  sum_blocks(images, tiles.blocks, block_losses.get(), args.losses);
}

template void classification_loss(const ClassificationLossArgs<float>&, const FocalLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const FocalLoss&);

}  // namespace diopter::cuda
