// Reductions and scans within a warp and within a block. The order of operations is fixed: same input, same bits.
// All lanes of the warp, or all threads of a one-dimensional block of kThreads (a multiple of 32), must call, and all
// get the result. The block functions start and end in step with the whole block, so they may follow one another.
#pragma once

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Maximum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Minimum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

/// v of all lanes combined by `op`, which is associative and commutative. T has 4 or 8 bytes.
template <class T, class Op>
__device__ inline T warp_reduce(T v, Op op) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) v = op(v, __shfl_xor_sync(kAllLanes, v, distance));
  return v;
}
template <class T>
__device__ inline T warp_sum(T v) {
  return warp_reduce(v, Plus{});
}
template <class T>
__device__ inline T warp_max(T v) {
  return warp_reduce(v, Maximum{});
}
template <class T>
__device__ inline T warp_min(T v) {
  return warp_reduce(v, Minimum{});
}

/// v of all threads combined by `op`: within warps first, then warp after warp.
template <int kThreads, class T, class Op>
__device__ inline T block_reduce(T v, Op op) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  __shared__ T partial[kThreads / 32];
  v = warp_reduce(v, op);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  T result = partial[0];
#pragma unroll
  for (int warp = 1; warp < kThreads / 32; ++warp) result = op(result, partial[warp]);
  __syncthreads();
  return result;
}
template <int kThreads, class T>
__device__ inline T block_sum(T v) {
  return block_reduce<kThreads>(v, Plus{});
}

/// Sum of v over the lanes up to and including this one.
template <class T>
__device__ inline T warp_inclusive_sum(T v) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const T below = __shfl_up_sync(kAllLanes, v, distance);
    if (lane >= distance) v += below;
  }
  return v;
}

template <class T>
struct Scan {
  T before;  // sum over the threads before this one
  T total;   // sum over the block
};

/// Where each thread's v lies when they are laid one after another.
template <int kThreads, class T>
__device__ inline Scan<T> block_exclusive_sum(T v) {
  static_assert(kThreads % 32 == 0 && kThreads <= 1024);
  __shared__ T partial[kThreads / 32];
  const T inclusive = warp_inclusive_sum(v);
  if (threadIdx.x % 32 == 31) partial[threadIdx.x / 32] = inclusive;
  __syncthreads();
  Scan<T> result{inclusive - v, T(0)};
#pragma unroll
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    if (warp < static_cast<int>(threadIdx.x / 32)) result.before += partial[warp];
    result.total += partial[warp];
  }
  __syncthreads();
  return result;
}

}  // namespace diopter::cuda
