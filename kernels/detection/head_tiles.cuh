// The heads' outputs cut into pieces for thread blocks, and deterministic sums over the pieces of an image.
#pragma once

#include <limits>

#include "kernels/common/check.h"
#include "kernels/common/divider.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/vector.cuh"
#include "kernels/detection/head_levels.h"

namespace diopter::cuda {

/// Where a value lies that is the e-th of its level and image, padding counted.
struct HeadPlace {
  int pixel, channel;  // channel >= cells * channels in the padding
};

/// One-dimensional pieces of all levels of an image. Levels share one launch: block b of an image belongs to the level
/// with first_block[l] <= b < first_block[l + 1]. The pieces depend on shapes only.
struct HeadTiles {
  int blocks = 0;                             // of an image
  int first_block[kMaxLevels + 1] = {};
  std::int64_t anchors = 0;                   // of an image
  std::int64_t first_anchor[kMaxLevels] = {};
  Divider stride[kMaxLevels], channels;

  /// Pieces of `tile` values, padding counted. Throws Error when a level has 2^31 values an image or more.
  template <class T>
  HeadTiles(const HeadLevels<T>& heads, int tile) : channels(heads.channels > 0 ? heads.channels : 1) {
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      const std::int64_t size = level.pixels * level.pixel_stride;
      DIOPTER_CHECK(size <= std::numeric_limits<std::int32_t>::max() - tile, "level ", l,
                    " has 2^31 values an image or more");
      first_block[l] = blocks;
      first_anchor[l] = anchors;
      stride[l] = Divider(static_cast<std::uint32_t>(level.pixel_stride > 0 ? level.pixel_stride : 1));
      blocks += static_cast<int>((size + tile - 1) / tile);
      anchors += level.pixels * heads.cells;
    }
    for (int l = heads.count; l <= kMaxLevels; ++l) first_block[l] = blocks;
  }

  __device__ int level_of(int block) const {
    int l = 0;
    while (block >= first_block[l + 1]) ++l;
    return l;
  }
  __device__ HeadPlace place(int l, std::uint32_t e) const {
    return {static_cast<int>(stride[l].quotient(e)), static_cast<int>(stride[l].remainder(e))};
  }
};

/// sums[image] = block_sums[image, 0] + block_sums[image, 1] + ... One block per image; in double; a fixed order.
template <int kThreads>
__global__ void __launch_bounds__(kThreads) sum_blocks_kernel(int blocks, const float* block_sums, float* sums) {
  block_sums += std::int64_t{blockIdx.x} * blocks;
  double sum = 0;
  for (int i = threadIdx.x; i < blocks; i += kThreads) sum += block_sums[i];
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = static_cast<float>(sum);
}

inline void sum_blocks(int images, int blocks, const float* block_sums, float* sums) {
  constexpr int kThreads = 256;
  launch(sum_blocks_kernel<kThreads>, {.grid = static_cast<unsigned>(images), .block = kThreads}, blocks, block_sums, sums);
}

}  // namespace diopter::cuda
