// Sorting by one thread block, for the few thousand candidates of an image. Keys: sort_key.h.
#pragma once

#include "kernels/detection/candidates/sort_key.h"
#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

/// So many keys, and no more, block_sort sorts in shared memory: what every GPU has without asking.
inline constexpr int kSharedKeys = 5632;

/// Bytes of dynamic shared memory that a kernel needs for block_sort of up to n keys.
inline std::size_t block_sort_bytes(std::int64_t n) {
  return static_cast<std::size_t>(n < kSharedKeys ? n : kSharedKeys) * sizeof(std::uint64_t);
}

/// A bitonic network (Batcher 1968) in which every comparison puts the smaller key first: a run is merged with its
/// mirror image. Keys behind the end, never touched, then act as infinite, and n need not be a power of two.
__device__ inline void bitonic_sort(std::uint64_t* keys, unsigned n) {
  for (unsigned run = 2; run < 2 * n; run *= 2) {
    for (unsigned distance = run / 2; distance > 0; distance /= 2) {
      for (unsigned i = threadIdx.x;; i += blockDim.x) {
        const unsigned low = 2 * i - (i & (distance - 1));
        if (low >= n) break;
        const unsigned high = distance == run / 2 ? low ^ (run - 1) : low + distance;
        if (high >= n || keys[low] <= keys[high]) continue;
        const std::uint64_t key = keys[low];
        keys[low] = keys[high];
        keys[high] = key;
      }
      __syncthreads();
    }
  }
}

/// Sorts keys[0, n) ascending: n log^2 n / 4 comparisons. The whole block must call, in step about the keys; it has
/// block_sort_bytes(n) of dynamic shared memory. More keys than fit are sorted where they are.
__device__ inline void block_sort(std::uint64_t* keys, int n) {
  if (n > kSharedKeys) {
    bitonic_sort(keys, n);
    return;
  }
  std::uint64_t* shared = dynamic_shared<std::uint64_t>();
  for (int i = threadIdx.x; i < n; i += blockDim.x) shared[i] = keys[i];
  __syncthreads();
  bitonic_sort(shared, n);
  for (int i = threadIdx.x; i < n; i += blockDim.x) keys[i] = shared[i];
  __syncthreads();
}

}  // namespace diopter::cuda
