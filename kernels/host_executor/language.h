// The CUDA language for a host compiler: what nvcc has built in, for .cu files compiled as C++ and run by the host
// executor. Types and declarations of runtime calls come from NVIDIA's own headers, so that a difference from the real
// interface is a compile error. docs/debugging_kernels.md tells how to use it, grid.cpp how it works.
#pragma once

#include <cuda_runtime.h>

// NVIDIA's headers define these for nvcc; here they mean nothing or get in the way of the standard library.
#undef __host__
#undef __device__
#undef __global__
#undef __grid_constant__
#undef __launch_bounds__
#undef __noinline__
#undef __shared__
#define __host__
#define __device__
#define __global__
#define __grid_constant__
#define __launch_bounds__(...)

// A block runs on one host thread, so what is local to a host thread is shared by a block. Check flavours run one block
// at a time; there clang's -femulated-tls asks the executor for the address of each variable (shared_memory.cpp),
// whereas GCC has no such flag and makes do with static variables.
#if defined(DIOPTER_EXECUTOR_CHECK) && !defined(__clang__)
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>

namespace diopter::host_executor {

/// The built-in variables of the CUDA thread that runs now.
#ifdef DIOPTER_EXECUTOR_CHECK
extern uint3 current_thread, current_block;
extern dim3 current_block_size, current_grid_size;
#else
extern __thread uint3 current_thread, current_block;
extern __thread dim3 current_block_size, current_grid_size;
#endif

/// A place in a kernel, for reports.
struct Site {
  const char* file;
  int line;
};

/// As a default argument: the place of the call.
constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }

enum class BarrierKind { plain, count, all, any };

/// Waits for all threads of the block; the number of them with a true predicate, or whether all or any have one.
int barrier(BarrierKind kind, bool predicate, Site site);

enum class WarpOperation {
  sync,
  ballot,
  match,
  shuffle,
  shuffle_up,
  shuffle_down,
  shuffle_xor,
  add,
  minimum,
  maximum,
  signed_minimum,
  signed_maximum,
  bit_and,
  bit_or,
  bit_xor
};

/// One lane's part in an operation of the lanes named in `mask`.
struct WarpRequest {
  WarpOperation operation;
  unsigned mask;
  std::uint64_t value;
  int argument;  // source lane, distance or lane mask of a shuffle
  int width;     // of the segments of a shuffle
  Site site;
};

/// Waits for all lanes named in the mask that have not returned, and yields this lane's result.
std::uint64_t warp_operation(const WarpRequest& request);

unsigned active_lanes();
void fence();
void* dynamic_shared();
[[noreturn]] void trap(Site site);

/// Reports an access that the GPU would refuse.
void require_alignment(const void* p, std::size_t bytes, Site site = here());

/// Arguments of <<<>>>, and where it was written.
struct LaunchShape {
  dim3 grid, block;
  std::size_t shared;
  const char* file;
  int line;
  const char* verb = "launched";  // at file and line
};

/// Gives a grid to the stream; `run` is called with `arguments` once for each CUDA thread.
cudaError_t enqueue_grid(const LaunchShape& shape, cudaStream_t stream, void (*run)(const void* arguments),
                         std::shared_ptr<const void> arguments);

/// Reports a pointer that a kernel cannot use. Null is fine, and so is page-locked host memory.
void require_device_pointer(const void* p, int argument, const LaunchShape& shape);

/// With DIOPTER_EXECUTOR_LAUNCHES: one more launch of that kernel.
void count_launch(const void* kernel);

template <class T>
void check_argument([[maybe_unused]] const T& value, [[maybe_unused]] int argument,
                    [[maybe_unused]] const LaunchShape& shape) {
  if constexpr (std::is_pointer_v<T>) require_device_pointer(value, argument, shape);
}

/// Gives a host function to the stream, like a kernel: how the host twin of a library call (cuDNN, CUB) takes its place
/// in the order of streams and in captured graphs. It may touch device memory, use threads, and must not throw.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> function);

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
                   const std::type_identity_t<Parameters>&... values) {
  count_launch(reinterpret_cast<const void*>(kernel));
  int argument = 0;
  (check_argument(values, ++argument, shape), ...);
  using KernelCall = std::pair<void (*)(Parameters...), std::tuple<Parameters...>>;
  return enqueue_grid(
      shape, stream,
      [](const void* arguments) {
        const KernelCall& call = *static_cast<const KernelCall*>(arguments);
        std::apply(call.first, call.second);
      },
      std::make_shared<const KernelCall>(kernel, std::tuple<Parameters...>(values...)));
}

}  // namespace diopter::host_executor

#define threadIdx ::diopter::host_executor::current_thread
#define blockIdx ::diopter::host_executor::current_block
#define blockDim ::diopter::host_executor::current_block_size
#define gridDim ::diopter::host_executor::current_grid_size
constexpr int warpSize = 32;

#include "kernels/host_executor/atomics.h"
#include "kernels/host_executor/collectives.h"
#include "kernels/host_executor/intrinsics.h"
