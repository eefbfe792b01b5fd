// Launches of kernels from .cu files. The same source is compiled by nvcc, and by a host compiler for the
// host executor (kernels/host_executor), which runs it without a GPU:
//
//   launch(kernel, {.grid = blocks_for(n, 256), .block = 256}, args...);   for  kernel<<<grid, block>>>(args...)
//   float* tile = dynamic_shared<float>();                                 for  extern __shared__ float tile[];
//   for (std::int64_t i : grid_stride(n)) ...                              every index of [0, n) in exactly one thread
//
// Work goes to cuda::stream(). Both a launch and its arguments are checked: Error names file and line of the launch.
// DIOPTER_SYNC=1 in the environment waits for each kernel, so that an error surfaces at the launch that caused it.
//
// Rules that kernels follow: *_sync intrinsics instead of cooperative groups; no textures, __constant__ memory or
// dynamic parallelism; no spinning on another thread; PTX, CUB and libraries only in one small function each, with a
// plain twin under #ifndef __CUDACC__; [[gnu::noinline]] instead of __noinline__.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "kernels/host_executor/language.h"
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/device/cuda_check.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

struct LaunchConfig {
  dim3 grid;  // no block at all: nothing is launched
  dim3 block;
  std::size_t shared = 0;  // bytes of dynamic_shared()
  const char* file = __builtin_FILE();
  int line = __builtin_LINE();
};

/// Number of blocks of `block` threads that cover n elements with one thread each. Throws Error above 2^31 - 1.
unsigned blocks_for(std::int64_t n, int block);

/// The same, but at most `most` blocks: for kernels that loop over grid_stride(n). `most` is a constant, so that the
/// map of elements to threads, and with it the order of sums, does not depend on the GPU.
inline unsigned blocks_for(std::int64_t n, int block, unsigned most) {
  const std::int64_t blocks = (n + block - 1) / block;
  return static_cast<unsigned>(blocks < most ? blocks : most);
}

namespace detail {
/// Throws for a failed launch; with DIOPTER_SYNC=1 also waits for the kernel (not while capturing).
void launched(cudaError_t status, const char* file, int line);
}  // namespace detail

/// Runs kernel(args...) on cuda::stream(). Arguments convert to the kernel's parameter types as in a call.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), const LaunchConfig& config, std::type_identity_t<Parameters>... args) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
#ifdef __CUDACC__
  if (config.shared > 0) {
    // A block has this for its __shared__ variables and dynamic memory together; more is to be asked for.
    constexpr std::size_t kUsual = 48 << 10;
    cudaFuncAttributes attributes{};
    check(cudaFuncGetAttributes(&attributes, kernel), "attributes of a kernel", config.file, config.line);
    if (attributes.sharedSizeBytes + config.shared > kUsual) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(config.shared)),
            "shared memory of a kernel", config.file, config.line);
    }
  }
  cudaLaunchConfig_t native{};
  native.gridDim = config.grid;
  native.blockDim = config.block;
  native.dynamicSmemBytes = config.shared;
  native.stream = stream();
  detail::launched(cudaLaunchKernelEx(&native, kernel, args...), config.file, config.line);
#else
  detail::launched(host_executor::launch(kernel, {config.grid, config.block, config.shared, config.file, config.line},
                                         stream(), args...),
                   config.file, config.line);
#endif
}

/// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
#else
  return static_cast<T*>(host_executor::dynamic_shared());
#endif
}

/// This thread's index in a one-dimensional grid of one-dimensional blocks.
__device__ inline std::int64_t thread_index() { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }

/// The indices of [0, n) that fall to this thread when all threads of the grid take turns.
struct GridStride {
  struct Iterator {
    std::int64_t index, step;
    __device__ std::int64_t operator*() const { return index; }
    __device__ void operator++() { index += step; }
    __device__ bool operator!=(std::int64_t end) const { return index < end; }
  };
  std::int64_t n;
  __device__ Iterator begin() const { return {thread_index(), std::int64_t{gridDim.x} * blockDim.x}; }
  __device__ std::int64_t end() const { return n; }
};
__device__ inline GridStride grid_stride(std::int64_t n) { return {n}; }

}  // namespace diopter::cuda
