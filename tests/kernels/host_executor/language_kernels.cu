#include "tests/kernels/host_executor/language_kernels.h"

#include "kernels/device/memory.h"
#include "kernels/toolkit/reduce.cuh"
#include "kernels/toolkit/vector.cuh"

namespace diopter::test {

namespace {

using namespace diopter::cuda;

/// Runs body(device pointer) with room for n elements, all bits zero at first, and returns them.
template <class T, class Body>
std::vector<T> collect(std::size_t n, Body body) {
  std::vector<T> result(n);
  auto* device = static_cast<T*>(allocate(n * sizeof(T)));
  zero(device, n * sizeof(T));
  body(device);
  copy_to_host(result.data(), device, n * sizeof(T));
  deallocate(device);
  return result;
}

/// A copy on the device while it lives.
template <class T>
struct Upload {
  T* data;
  explicit Upload(const std::vector<T>& values) : data(static_cast<T*>(allocate(values.size() * sizeof(T)))) {
    copy_from_host(data, values.data(), values.size() * sizeof(T));
  }
  ~Upload() { deallocate(data); }
};

__global__ void thread_indices_kernel(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned index = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[index] = static_cast<int>(index);
}

__global__ void grid_stride_kernel(std::int64_t n, int* visits) {
  for (const std::int64_t i : grid_stride(n)) atomicAdd(&visits[i], 1);
}

__global__ void barrier_votes_kernel(int limit, int* out) {
  const bool below = static_cast<int>(threadIdx.x) < limit;
  int* mine = out + 3 * threadIdx.x;
  mine[0] = __syncthreads_count(below);
  mine[1] = __syncthreads_and(below);
  mine[2] = __syncthreads_or(below);
}

__global__ void rotate_kernel(int rounds, int* out) {
  __shared__ int token[1024];
  int value = static_cast<int>(threadIdx.x);
  for (int round = 0; round < rounds; ++round) {
    token[threadIdx.x] = value;
    __syncthreads();
    value = token[(threadIdx.x + 1) % blockDim.x];
    __syncthreads();
  }
  out[threadIdx.x] = value;
}

__global__ void shuffle_kernel(Shuffle kind, int argument, int width, int* out) {
  const int value = 10 * static_cast<int>(threadIdx.x);
  int result = 0;
  switch (kind) {
    case Shuffle::direct: result = __shfl_sync(kAllLanes, value, argument, width); break;
    case Shuffle::up: result = __shfl_up_sync(kAllLanes, value, static_cast<unsigned>(argument), width); break;
    case Shuffle::down: result = __shfl_down_sync(kAllLanes, value, static_cast<unsigned>(argument), width); break;
    case Shuffle::exclusive: result = __shfl_xor_sync(kAllLanes, value, argument, width); break;
  }
  out[threadIdx.x] = result;
}

__global__ void shuffle_double_kernel(int distance, double* out) {
  out[threadIdx.x] = __shfl_down_sync(kAllLanes, 1e10 * threadIdx.x, static_cast<unsigned>(distance));
}

__global__ void votes_kernel(unsigned set, unsigned* out) {
  const bool in = set >> threadIdx.x & 1;
  unsigned* mine = out + 5 * threadIdx.x;
  mine[0] = __ballot_sync(kAllLanes, in);
  mine[1] = static_cast<unsigned>(__any_sync(kAllLanes, in));
  mine[2] = static_cast<unsigned>(__all_sync(kAllLanes, in));
  mine[3] = static_cast<unsigned>(__popc(__match_any_sync(kAllLanes, threadIdx.x % 3)));
  mine[4] = __activemask();
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
__global__ void warp_reductions_kernel(unsigned mask, int* out) {
  if (!(mask >> threadIdx.x & 1)) return;
  const int from_minus_10 = static_cast<int>(threadIdx.x) - 10;
  const unsigned from_1 = threadIdx.x + 1;
  const int results[9] = {__reduce_add_sync(mask, from_minus_10),
                          __reduce_min_sync(mask, from_minus_10),
                          __reduce_max_sync(mask, from_minus_10),
                          static_cast<int>(__reduce_add_sync(mask, from_1)),
                          static_cast<int>(__reduce_min_sync(mask, from_1)),
                          static_cast<int>(__reduce_max_sync(mask, from_1)),
                          static_cast<int>(__reduce_and_sync(mask, from_1)),
                          static_cast<int>(__reduce_or_sync(mask, from_1)),
                          static_cast<int>(__reduce_xor_sync(mask, from_1))};
  if (static_cast<int>(threadIdx.x) == __ffs(static_cast<int>(mask)) - 1) {
    for (int i = 0; i < 9; ++i) out[i] = results[i];
  }
}
#endif

__global__ void atomics_kernel(int* out, float* sum, unsigned* counter) {
  const int i = static_cast<int>(thread_index());
  if (i >= 1000) return;
  atomicAdd(&out[0], i);
  atomicAdd(sum, 0.5f);
  atomicMin(&out[2], -i);
  atomicMax(&out[3], i);
  atomicAnd(&out[4], ~(1 << i % 8));
  atomicOr(&out[5], 1 << i % 8);
  atomicXor(&out[6], i);
  atomicInc(counter, 299);
  if (atomicCAS(&out[8], 0, 1) == 0) atomicAdd(&out[9], 1);
}

template <int kThreads>
__global__ void block_reductions_kernel(const int* values, int* out) {
  const int v = values[threadIdx.x];
  const Scan<int> scan = block_exclusive_sum<kThreads>(v);
  int* mine = out + 5 * threadIdx.x;
  mine[0] = block_sum<kThreads>(v);
  mine[1] = block_reduce<kThreads>(v, Maximum{});
  mine[2] = block_reduce<kThreads>(v, Minimum{});
  mine[3] = scan.before;
  mine[4] = scan.total;
}

__global__ void block_sum_kernel(const float* values, int n, float* out) {
  float sum = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += 256) sum += values[i];
  sum = block_sum<256>(sum);
  if (threadIdx.x == 0) *out = sum;
}

__global__ void warp_sum_kernel(const double* values, double* out) { out[threadIdx.x] = warp_sum(values[threadIdx.x]); }

template <class T>
__global__ void doubled_kernel(const T* values, T* out, int packs) {
  const int i = static_cast<int>(thread_index());
  if (i >= packs) return;
  Pack<T> pack = load(values + i * kPack<T>);
  for (int k = 0; k < kPack<T>; ++k) pack[k] *= 2.0f;
  store(out + i * kPack<T>, pack);
}

__global__ void rounded_kernel(const float* values, bf16* out, int n) {
  const int i = static_cast<int>(thread_index());
  if (i < n) out[i] = to<bf16>(values[i]);
}

__global__ void shared_memory_kernel(int n, int* out) {
  __shared__ int sums[2048];
  int* numbers = dynamic_shared<int>();
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < n; i += 128) numbers[i] = i;
  __syncthreads();
  for (int k = thread; k < 2048; k += 128) {
    sums[k] = 0;
    for (int i = k; i < n; i += 2048) sums[k] += numbers[i];
  }
  __syncthreads();
  if (thread > 0) return;
  for (int k = 0; k < 2048; ++k) *out += sums[k];
}

__global__ void bit_intrinsics_kernel(unsigned x, unsigned* out) {
  out[0] = static_cast<unsigned>(__popc(x));
  out[1] = static_cast<unsigned>(__clz(static_cast<int>(x)));
  out[2] = static_cast<unsigned>(__ffs(static_cast<int>(x)));
  out[3] = __brev(x);
  out[4] = __umulhi(x, 0x10000u);
}

__global__ void add_kernel(int* values, int n, int amount) {
  const int i = static_cast<int>(thread_index());
  if (i < n) values[i] += amount;
}

template <class T>
std::vector<T> doubled_on_device(const std::vector<T>& values) {
  const Upload<T> input(values);
  return collect<T>(values.size(), [&](T* out) {
    const int packs = static_cast<int>(values.size()) / kPack<T>;
    launch(doubled_kernel<T>, {.grid = blocks_for(packs, 32), .block = 32}, input.data, out, packs);
  });
}

}  // namespace

std::vector<int> thread_indices(Size3 grid, Size3 block) {
  return collect<int>(std::size_t{grid.count()} * block.count(), [&](int* out) {
    launch(thread_indices_kernel, {.grid = dim3(grid.x, grid.y, grid.z), .block = dim3(block.x, block.y, block.z)},
           out);
  });
}

std::vector<int> grid_stride_visits(std::int64_t n, unsigned blocks) {
  return collect<int>(static_cast<std::size_t>(n) + 1,
                      [&](int* out) { launch(grid_stride_kernel, {.grid = blocks, .block = 64}, n, out); });
}

std::vector<int> barrier_votes(unsigned threads, int limit) {
  return collect<int>(std::size_t{3} * threads,
                      [&](int* out) { launch(barrier_votes_kernel, {.grid = 1, .block = threads}, limit, out); });
}

std::vector<int> rotated_through_shared(unsigned threads, int rounds) {
  return collect<int>(threads, [&](int* out) { launch(rotate_kernel, {.grid = 1, .block = threads}, rounds, out); });
}

std::vector<int> shuffled(Shuffle kind, int argument, int width) {
  return collect<int>(64,
                      [&](int* out) { launch(shuffle_kernel, {.grid = 1, .block = 64}, kind, argument, width, out); });
}

std::vector<double> shuffled_double(int distance) {
  return collect<double>(32,
                         [&](double* out) { launch(shuffle_double_kernel, {.grid = 1, .block = 32}, distance, out); });
}

std::vector<unsigned> votes(unsigned set) {
  return collect<unsigned>(160, [&](unsigned* out) { launch(votes_kernel, {.grid = 1, .block = 32}, set, out); });
}

std::vector<int> warp_reductions(unsigned mask) {
  return collect<int>(9, [&](int* out) { launch(warp_reductions_kernel, {.grid = 1, .block = 32}, mask, out); });
}

std::vector<int> atomics() {
  float sum = 0.0f;
  unsigned counter = 0;
  const std::vector<int> all_bits{0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0};
  std::vector<int> result = collect<int>(10, [&](int* out) {
    copy_from_host(out, all_bits.data(), 10 * sizeof(int));
    counter = collect<unsigned>(1, [&](unsigned* device_counter) {
      sum = collect<float>(1, [&](float* device_sum) {
        launch(atomics_kernel, {.grid = 8, .block = 128}, out, device_sum, device_counter);
      })[0];
    })[0];
  });
  return {result[0], static_cast<int>(sum),     result[2], result[3], result[4], result[5],
          result[6], static_cast<int>(counter), result[9]};
}

std::vector<int> block_reductions(unsigned threads, const std::vector<int>& values) {
  const Upload<int> input(values);
  return collect<int>(std::size_t{5} * threads, [&](int* out) {
    const LaunchConfig config{.grid = 1, .block = threads};
    switch (threads) {
      case 32: return launch(block_reductions_kernel<32>, config, input.data, out);
      case 96: return launch(block_reductions_kernel<96>, config, input.data, out);
      case 256: return launch(block_reductions_kernel<256>, config, input.data, out);
      default: return launch(block_reductions_kernel<1024>, config, input.data, out);
    }
  });
}

float block_sum_of(const std::vector<float>& values) {
  const Upload<float> input(values);
  return collect<float>(1, [&](float* out) {
    launch(block_sum_kernel, {.grid = 1, .block = 256}, input.data, static_cast<int>(values.size()), out);
  })[0];
}

double warp_sum_of(const std::vector<double>& values) {
  const Upload<double> input(values);
  return collect<double>(32,
                         [&](double* out) { launch(warp_sum_kernel, {.grid = 1, .block = 32}, input.data, out); })[31];
}

std::vector<float> doubled(const std::vector<float>& values) { return doubled_on_device(values); }
std::vector<bf16> doubled(const std::vector<bf16>& values) { return doubled_on_device(values); }

std::vector<bf16> rounded(const std::vector<float>& values) {
  const Upload<float> input(values);
  return collect<bf16>(values.size(), [&](bf16* out) {
    const int n = static_cast<int>(values.size());
    launch(rounded_kernel, {.grid = blocks_for(n, 64), .block = 64}, input.data, out, n);
  });
}

int sum_through_shared(int n) {
  return collect<int>(1, [&](int* out) {
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(int);
    launch(shared_memory_kernel, {.grid = 1, .block = 128, .shared = bytes}, n, out);
  })[0];
}

std::vector<unsigned> bit_intrinsics(unsigned x) {
  return collect<unsigned>(5, [&](unsigned* out) { launch(bit_intrinsics_kernel, {.grid = 1, .block = 1}, x, out); });
}

void add_to(int* values, int n, int amount) {
  launch(add_kernel, {.grid = blocks_for(n, 128), .block = 128}, values, n, amount);
}

void launch_too_many_threads(int* values, int* line) {
  *line = __LINE__ + 1;
  launch(add_kernel, {.grid = 1, .block = 1025}, values, 1, 1);
}

}  // namespace diopter::test
