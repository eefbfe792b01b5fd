// The heads' outputs cut into pieces for thread blocks, and deterministic sums over the pieces of an image.
#pragma once

#include <limits>

#include "kernels/base/check.h"
#include "kernels/detection/head.h"
#include "kernels/toolkit/divider.h"
#include "kernels/toolkit/reduce.cuh"
#include "kernels/toolkit/vector.cuh"

namespace diopter::cuda {

/// A value of a level, found from its place in memory.
struct HeadValue {
  std::uint32_t index;  // within the level of an image, padding not counted
  int left;             // values from this one on before padding begins; zero or less: the pack lies in the padding
};

/// A level of one image as it lies in memory: runs of `length` values, each `stride` after the last. Runs are pixels
/// where channels are padded; otherwise the whole level is one.
struct HeadRuns {
  std::uint32_t size, length;  // of the level, padding counted; of a run
  Divider stride;
  std::int64_t first_anchor;  // of the level, within the image
  int first_block;

  /// The value at place e of the level.
  __device__ HeadValue value(std::uint32_t e) const {
    const std::uint32_t run = stride.quotient(e), offset = e - run * stride.divisor();
    return {run * length + offset, static_cast<int>(length - offset)};
  }
};

/// Pieces of `tile` values of all levels of an image, padding counted. Levels share one launch: block b of an image
/// belongs to the last level with first_block <= b. The pieces depend on shapes only.
struct HeadTiles {
  int count = 0, blocks = 0;  // levels; blocks of an image
  std::int64_t anchors = 0;   // of an image
  HeadRuns level[kMaxLevels] = {};

  /// Throws Error when a level has 2^31 values per image or more.
  template <class T>
  HeadTiles(const HeadLevels<T>& heads, int tile) : count(heads.count) {
    for (int l = 0; l < count; ++l) {
      const HeadLevel<T>& head = heads.level[l];
      const std::int64_t size = head.pixels * head.pixel_stride, pixel_size = heads.cells * heads.channels;
      DIOPTER_CHECK(size <= std::numeric_limits<std::int32_t>::max() - tile, "level ", l,
                    " has 2^31 values per image or more");
      const std::int64_t length = head.pixel_stride == pixel_size ? size : pixel_size;
      const std::int64_t stride = head.pixel_stride == pixel_size ? size : head.pixel_stride;
      level[l] = {static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(length),
                  Divider(static_cast<std::uint32_t>(stride > 0 ? stride : 1)), anchors, blocks};
      blocks += static_cast<int>((size + tile - 1) / tile);
      anchors += head.pixels * heads.cells;
    }
  }

  /// From the largest level on, which has most of the blocks.
  __device__ int level_of(int block) const {
    int l = 0;
    while (l + 1 < count && level[l + 1].first_block <= block) ++l;
    return l;
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
  launch(sum_blocks_kernel<kThreads>, {.grid = static_cast<unsigned>(images), .block = kThreads}, blocks, block_sums,
         sums);
}

}  // namespace diopter::cuda
