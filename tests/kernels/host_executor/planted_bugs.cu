// A zoo of small CUDA programs, most of them wrong in one way each:   planted_bugs NAME
// Exit codes: 0 nothing noticed and the result is right, 2 the result is wrong, 3 an exception. Whatever the executor
// or a sanitizer finds ends the program before. ThreadSanitizer remembers the last four accesses of 8 bytes only, so
// races are planted in memory with little history. planted_bugs_test.cpp says who has to find what.
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/device/memory.h"
#include "kernels/toolkit/launch.cuh"
#include "kernels/toolkit/reduce.cuh"
#include "kernels/toolkit/vector.cuh"

namespace diopter::cuda {
namespace {

constexpr int kN = 64;

/// Hides from the compiler where a pointer comes from.
template <class T>
__device__ T* opaque(T* p) {
#ifdef __CUDACC__
  asm("" : "+l"(p));
#else
  asm("" : "+r"(p));
#endif
  return p;
}

template <int N>
__global__ void past_shared(float* y) {
  __shared__ float tile[N], other[N];
  tile[threadIdx.x] = other[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = opaque(tile + threadIdx.x)[1] + other[threadIdx.x];
}

}  // namespace

template <int N>
__global__ void past_shared_of_template(float* y) {  // with external linkage, which compilers lay out otherwise
  __shared__ float tile[N], other[N];
  tile[threadIdx.x] = other[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = opaque(tile + threadIdx.x)[1] + other[threadIdx.x];
}

namespace {

// ---- Barriers and shared memory -------------------------------------------------------------------------------------

__global__ void missing_barrier(float* y) {  // reads the mirrored element before it is there
  __shared__ float tile[kN];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = tile[kN - 1 - threadIdx.x];
}

__global__ void missing_barrier_neighbour(float* y) {  // threads in forward order hide it
  __shared__ float tile[kN];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] = threadIdx.x > 0 ? tile[threadIdx.x - 1] : 0.0f;
}

__global__ void tile(float* y, bool second_barrier) {  // without it the tile is overwritten while others still read it
  __shared__ float tile[kN];
  float sum = 0.0f;
  for (int k = 0; k < 3; ++k) {
    tile[threadIdx.x] = static_cast<float>(threadIdx.x + k);
    __syncthreads();
    sum += tile[(threadIdx.x + 1) % kN] + tile[(threadIdx.x + kN - 1) % kN];
    if (second_barrier) __syncthreads();
  }
  y[threadIdx.x] = sum;
}

__global__ void warp_broadcast(float* y, bool sync) {  // a shuffle orders no memory, __syncwarp does
  __shared__ float value;
  if (threadIdx.x == 0) value = 7.0f;
  const float one = __shfl_sync(kAllLanes, 1.0f, 0);
  if (sync) __syncwarp();
  y[threadIdx.x] = one + value;
}

__global__ void divergent_barrier(float* y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1.0f;
}

__global__ void barriers_on_two_lines(float* y) {
  if (threadIdx.x < 32) {
    y[threadIdx.x] = 1.0f;
    __syncthreads();
  } else {
    y[threadIdx.x] = 1.0f;
    __syncthreads();
  }
}

__global__ void barriers_in_unequal_loops(float* y) {
  for (unsigned k = 0; k <= threadIdx.x / 32; ++k) __syncthreads();
  y[threadIdx.x] = 1.0f;
}

__global__ void return_before_barrier(float* y, int n) {
  if (static_cast<int>(threadIdx.x) >= n) return;
  __syncthreads();
  y[threadIdx.x] = 1.0f;
}

__global__ void uninitialised_shared(float* y) {
  __shared__ float tile[kN];
  if (threadIdx.x < 60) tile[threadIdx.x] = 1.0f;
  __syncthreads();
  float sum = 0.0f;
  for (int i = 0; i < kN; ++i) sum += tile[i];
  y[threadIdx.x] = sum;
}

__global__ void shared_counter(float* y, bool atomic) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (atomic) {
    atomicAdd(&count, 1);
  } else {
    count = count + 1;
  }
  __syncthreads();
  if (threadIdx.x < kN) y[threadIdx.x] = static_cast<float>(count);
}

__global__ void past_dynamic_shared(float* y) {
  float* tile = dynamic_shared<float>();
  tile[threadIdx.x + 1] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void static_and_dynamic_shared(float* y) {  // 20 KiB and what the launch asks for
  __shared__ float tile[5120];
  tile[threadIdx.x] = dynamic_shared<float>()[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = *opaque(tile + kN - 1 - threadIdx.x);
}

// ---- Warps ----------------------------------------------------------------------------------------------------------

__global__ void shuffle_in_a_branch(float* y) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x < 16) {
    v += __shfl_down_sync(kAllLanes, v, 1);
  } else {
    y[threadIdx.x] = 2.0f;
  }
  __syncthreads();
  y[threadIdx.x] = v;
}

__global__ void shuffle_from_absent_lane(float* y) {
  float v = 1.0f;
  if (threadIdx.x < 16) v += __shfl_down_sync(0xffffu, v, 1);
  y[threadIdx.x] = v;
}

__global__ void not_in_own_mask(float* y) { y[threadIdx.x] = static_cast<float>(__ballot_sync(0x7fffffffu, 1) != 0); }

__global__ void masks_differ(float* y) {
  y[threadIdx.x] = static_cast<float>(__popc(__ballot_sync(threadIdx.x < 16 ? kAllLanes : 0xffffffffu << 16, 1)));
}

__global__ void returned_lanes(float* y) {  // right: lanes that have returned are waited for by nobody
  y[threadIdx.x] = 1.0f;
  if (threadIdx.x % 32 >= 20) return;
  y[threadIdx.x] = static_cast<float>(__popc(__ballot_sync(kAllLanes, 1)));
}

__global__ void half_warps(float* y) {  // right: each half is a group of its own
  const unsigned mask = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
  if (threadIdx.x % 32 < 16) {
    y[threadIdx.x] = __shfl_xor_sync(mask, static_cast<float>(threadIdx.x), 1, 16);
  } else {
    y[threadIdx.x] = __shfl_xor_sync(mask, static_cast<float>(threadIdx.x), 2, 16);
  }
}

// ---- Global memory --------------------------------------------------------------------------------------------------

__global__ void write_past_end(float* y, int n) {
  const int i = static_cast<int>(thread_index());
  if (i <= n) y[i] = static_cast<float>(i);
}

__global__ void read_past_end(const float* x, float* y, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) y[i] = x[i + 1];
}

__global__ void add_one(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1.0f; }

__global__ void fill(float* y, float v) { y[threadIdx.x] = v; }

__global__ void misaligned_vector(const float* x, float* y) {
  const auto* v = reinterpret_cast<const float4*>(x + threadIdx.x);
  y[threadIdx.x] = v->x + v->y + v->z + v->w;
}

__global__ void misaligned_pack(const float* x, float* y) {
  const Pack<float> v = load(x + threadIdx.x);
  y[threadIdx.x] = v[0] + v[1] + v[2] + v[3];
}

__global__ void overflowing_index(float* y, int n) {
  const int i = static_cast<int>(threadIdx.x + 1) * n;
  if (i > 0) y[threadIdx.x] = 1.0f;
}

__global__ void shift_too_far(float* y) {
  const unsigned long long mask = 1ull << (threadIdx.x + 1);
  y[threadIdx.x] = static_cast<float>(mask != 0);
}

__global__ void null_pointer(float* y, const float* x) { y[threadIdx.x] = opaque(x)[threadIdx.x]; }

__global__ void deep_stack(float* y) {
  volatile float local[100000];
  for (int i = 0; i < 100000; ++i) local[i] = static_cast<float>(i);
  y[threadIdx.x] = local[threadIdx.x];
}

// ---- Races in global memory -----------------------------------------------------------------------------------------

__global__ void race_between_blocks(float* y) { y[0] += 1.0f; }

__global__ void race_in_place(float* y) {  // a shift by one, without a copy
  if (threadIdx.x > 0) y[threadIdx.x - 1] = y[threadIdx.x];
}

__global__ void race_of_writers(float* y) { y[threadIdx.x / 2] = static_cast<float>(threadIdx.x); }

__global__ void atomic_and_plain(float* y) {  // others may still be adding
  atomicAdd(&y[0], 1.0f);
  if (threadIdx.x == blockDim.x - 1) y[1] = y[0];
}

__global__ void last_block(float* y, float* partial, unsigned* ticket, bool fences) {  // right with fences
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = 1.0f;
    if (fences) __threadfence();
    last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    if (fences) __threadfence();
  }
  __syncthreads();
  if (!last) return;
  float sum = 0.0f;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += partial[i];
  y[threadIdx.x] = sum;
}

__global__ void histogram(const float* x, float* y) {  // right
  __shared__ int counts[4];
  if (threadIdx.x < 4) counts[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&counts[static_cast<int>(x[threadIdx.x]) % 4], 1);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&y[threadIdx.x], static_cast<float>(counts[threadIdx.x]));
}

__global__ void sums(const float* x, float* y) {  // right
  const float total = block_sum<kN>(x[threadIdx.x]), most = block_reduce<kN>(x[threadIdx.x], Maximum{});
  const Scan<int> scan = block_exclusive_sum<kN>(static_cast<int>(threadIdx.x % 3));
  y[threadIdx.x] = total + most + static_cast<float>(scan.before + scan.total);
}

// ---- The programs ---------------------------------------------------------------------------------------------------

std::vector<float> download(const float* p, int n = kN) {
  std::vector<float> values(static_cast<std::size_t>(n));
  copy_to_host(values.data(), p, values.size() * sizeof(float));
  return values;
}

std::vector<float> counted(const std::function<float(int)>& value) {
  std::vector<float> values(kN);
  for (int i = 0; i < kN; ++i) values[static_cast<std::size_t>(i)] = value(i);
  return values;
}

constexpr auto kAny = -12345.0f;  // in an expectation: any value

/// Arrays of kN floats on the device, x = 0, 1, 2, ... and y = 0.
struct Arrays {
  float* x = static_cast<float*>(allocate(kN * sizeof(float)));
  float* y = static_cast<float*>(allocate(kN * sizeof(float)));
  Arrays() {
    const std::vector<float> values = counted([](int i) { return static_cast<float>(i); });
    copy_from_host(x, values.data(), kN * sizeof(float));
    zero(y, kN * sizeof(float));
    synchronize();
  }
};

struct Program {
  std::function<void(Arrays&)> run;
  std::function<float(int)> expected;  // of y
};

const auto any = [](int) { return kAny; };
const auto ones = [](int) { return 1.0f; };
const auto zeros = [](int) { return 0.0f; };
const auto index = [](int i) { return static_cast<float>(i); };
const auto tiles = [](int i) { return static_cast<float>(3 * ((i + 1) % kN + (i + kN - 1) % kN) + 6); };
const auto in_one_warp = [](float value) { return [value](int i) { return i < 32 ? value : 0.0f; }; };

/// One block of kN threads, or of a warp, with y as its only argument.
Program plain(void (*kernel)(float*), std::function<float(int)> expected, int threads = kN, std::size_t shared = 0) {
  return {
      [=](Arrays& a) { launch(kernel, {.grid = 1, .block = static_cast<unsigned>(threads), .shared = shared}, a.y); },
      std::move(expected)};
}

void last_block_program(Arrays& a, bool fences) {
  auto* ticket = static_cast<unsigned*>(allocate(sizeof(unsigned)));
  zero(ticket, sizeof(unsigned));
  launch(last_block, {.grid = 8, .block = kN}, a.y, a.x, ticket, fences);
}

/// A kernel on a second stream reads what one on the first has written.
void two_streams_program(Arrays& a, bool event_between) {
  Event filled;
  launch(fill, {.grid = 1, .block = kN}, a.x, 2.0f);
  filled.record();
  Stream second;
  StreamScope scope(second);
  if (event_between) filled.wait();
  launch(add_one, {.grid = 1, .block = kN}, a.x, a.y);
  synchronize();
}

/// Copies to page-locked memory, which does not wait, and looks at it.
void pinned_copy_program(Arrays& a, bool wait) {
  auto* host = static_cast<float*>(allocate_pinned(kN * sizeof(float)));
  std::memset(host, 0, kN * sizeof(float));
  launch(fill, {.grid = 1, .block = kN}, a.x, 1.0f);
  check(cudaMemcpyAsync(host, a.x, kN * sizeof(float), cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  if (wait) synchronize();
  const std::vector<float> seen(host, host + kN);
  synchronize();
  copy_from_host(a.y, seen.data(), kN * sizeof(float));
}

/// The source of an asynchronous copy is overwritten before the copy need have happened.
void staging_program(Arrays& a, bool wait) {
  auto* host = static_cast<float*>(allocate_pinned(kN * sizeof(float)));
  for (int i = 0; i < kN; ++i) host[i] = 1.0f;
  queue_copy_from_host(a.y, host, kN * sizeof(float));
  if (wait) synchronize();
  for (int i = 0; i < kN; ++i) host[i] = 2.0f;
}

/// Right: two streams that nothing orders take the time and run host functions, each with a variable of its own.
void host_work_program() {
  const auto count = [](void*) {
    volatile int counted = 0;
    for (int i = 0; i < 16; ++i) counted = counted + 1;
  };
  Stream streams[2];
  Event events[2];
  for (int i : {0, 1, 0, 1}) {
    StreamScope scope(streams[i]);
    check(cudaLaunchHostFunc(stream(), count, nullptr), "cudaLaunchHostFunc");
    events[i].record();
  }
  for (const Event& event : events) event.synchronize();
}

void freed_on_another_stream_program(Arrays& a) {
  launch(fill, {.grid = 1, .block = kN}, a.y, 1.0f);
  launch(add_one, {.grid = 1, .block = kN}, a.x, a.y);
  Stream second;
  check(cudaFreeAsync(a.x, second.reference().get()), "cudaFreeAsync");
  check(cudaStreamSynchronize(second.reference().get()), "cudaStreamSynchronize");
}

cudaGraph_t captured(const std::function<void()>& work) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  work();
  check(cudaStreamEndCapture(stream(), &graph), "cudaStreamEndCapture");
  return graph;
}

void replay_program(Arrays& a) {  // right: the second stream starts and ends with an event
  Stream second;
  const cudaGraph_t graph = captured([&] {
    auto* scratch = static_cast<float*>(allocate(kN * sizeof(float)));
    launch(add_one, {.grid = 1, .block = kN}, a.y, scratch);
    Event fork, join;
    fork.record();
    {
      StreamScope scope(second);
      fork.wait();
      launch(add_one, {.grid = 1, .block = kN}, scratch, a.y);
      join.record();
    }
    join.wait();
    deallocate(scratch);
  });
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
  for (int i = 0; i < 5; ++i) check(cudaGraphLaunch(executable, stream()), "cudaGraphLaunch");
  synchronize();
  check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  check(cudaGraphDestroy(graph), "cudaGraphDestroy");
}

const std::map<std::string, Program>& programs() {
  static const std::map<std::string, Program> all = {
      {"missing_barrier", plain(missing_barrier, [](int i) { return static_cast<float>(kN - 1 - i); })},
      {"missing_barrier_neighbour",
       plain(missing_barrier_neighbour, [](int i) { return static_cast<float>(i > 0 ? i - 1 : 0); })},
      {"missing_second_barrier", {[](Arrays& a) { launch(tile, {.grid = 1, .block = kN}, a.y, false); }, tiles}},
      {"right_tile", {[](Arrays& a) { launch(tile, {.grid = 1, .block = kN}, a.y, true); }, tiles}},
      {"missing_syncwarp",
       {[](Arrays& a) { launch(warp_broadcast, {.grid = 1, .block = 32}, a.y, false); }, in_one_warp(8.0f)}},
      {"right_syncwarp",
       {[](Arrays& a) { launch(warp_broadcast, {.grid = 1, .block = 32}, a.y, true); }, in_one_warp(8.0f)}},
      {"divergent_barrier", plain(divergent_barrier, ones)},
      {"barriers_on_two_lines", plain(barriers_on_two_lines, ones)},
      {"barriers_in_unequal_loops", plain(barriers_in_unequal_loops, ones)},
      {"return_before_barrier",
       {[](Arrays& a) { launch(return_before_barrier, {.grid = 1, .block = kN}, a.y, 50); }, any}},
      {"uninitialised_shared", plain(uninitialised_shared, [](int) { return 60.0f; })},
      {"shared_counter", {[](Arrays& a) { launch(shared_counter, {.grid = 1, .block = kN}, a.y, false); }, any}},
      {"shared_counter_of_1024",
       {[](Arrays& a) { launch(shared_counter, {.grid = 1, .block = 1024}, a.y, false); }, any}},
      {"right_shared_counter",
       {[](Arrays& a) { launch(shared_counter, {.grid = 1, .block = kN}, a.y, true); }, [](int) { return float{kN}; }}},
      {"past_shared", plain(past_shared<kN>, any)},
      {"past_shared_of_template", plain(past_shared_of_template<kN>, any)},
      {"past_dynamic_shared", plain(past_dynamic_shared, any, kN, kN * sizeof(float))},
      {"shuffle_in_a_branch", plain(shuffle_in_a_branch, any, 32)},
      {"shuffle_from_absent_lane", plain(shuffle_from_absent_lane, any, 32)},
      {"not_in_own_mask", plain(not_in_own_mask, any, 32)},
      {"masks_differ", plain(masks_differ, any, 32)},
      {"right_returned_lanes", plain(returned_lanes, [](int i) { return i % 32 < 20 ? 20.0f : 1.0f; })},
      {"right_half_warps", plain(half_warps, [](int i) { return static_cast<float>(i % 32 < 16 ? i ^ 1 : i ^ 2); })},
      {"write_past_end", {[](Arrays& a) { launch(write_past_end, {.grid = 2, .block = kN}, a.y, kN); }, index}},
      {"read_past_end", {[](Arrays& a) { launch(read_past_end, {.grid = 1, .block = kN}, a.x, a.y, kN); }, any}},
      {"uninitialised_global",
       {[](Arrays& a) {
          auto* fresh = static_cast<float*>(allocate(kN * sizeof(float)));
          launch(add_one, {.grid = 1, .block = kN}, fresh, a.y);
        },
        ones}},
      {"misaligned_vector", {[](Arrays& a) { launch(misaligned_vector, {.grid = 1, .block = 32}, a.x, a.y); }, any}},
      {"misaligned_pack", {[](Arrays& a) { launch(misaligned_pack, {.grid = 1, .block = 32}, a.x, a.y); }, any}},
      {"overflowing_index",
       {[](Arrays& a) { launch(overflowing_index, {.grid = 1, .block = kN}, a.y, 100000000); }, any}},
      {"shift_too_far", plain(shift_too_far, any)},
      {"null_pointer",
       {[](Arrays& a) { launch(null_pointer, {.grid = 1, .block = kN}, a.y, static_cast<const float*>(nullptr)); },
        any}},
      {"deep_stack", plain(deep_stack, index)},
      {"race_between_blocks",
       {[](Arrays& a) { launch(race_between_blocks, {.grid = 8, .block = 1}, a.y); },
        [](int i) { return i == 0 ? 8.0f : 0.0f; }}},
      {"race_in_place",
       {[](Arrays& a) {
          launch(race_in_place, {.grid = 1, .block = kN}, a.x);
          copy(a.y, a.x, kN * sizeof(float));
        },
        [](int i) { return static_cast<float>(i < kN - 1 ? i + 1 : i); }}},
      {"race_of_writers", plain(race_of_writers, any)},
      {"atomic_and_plain", plain(atomic_and_plain, any)},
      {"last_block_without_fence", {[](Arrays& a) { last_block_program(a, false); }, [](int) { return 8.0f; }}},
      {"right_last_block", {[](Arrays& a) { last_block_program(a, true); }, [](int) { return 8.0f; }}},
      {"right_histogram",
       {[](Arrays& a) { launch(histogram, {.grid = 2, .block = kN}, a.x, a.y); },
        [](int i) { return i < 4 ? kN / 2.0f : 0.0f; }}},
      {"right_sums",
       {[](Arrays& a) { launch(sums, {.grid = 1, .block = kN}, a.x, a.y); },
        [](int i) { return 2016.0f + 63.0f + 63.0f + static_cast<float>(i / 3 * 3 + (i % 3 == 2)); }}},
      {"host_reads_device",
       {[](Arrays& a) {
          launch(fill, {.grid = 1, .block = kN}, a.y, 1.0f);
          std::printf("%g\n", static_cast<double>(a.y[3]));
        },
        any}},
      {"kernel_gets_host_pointer",
       {[](Arrays& a) {
          std::vector<float> host(kN);
          launch(add_one, {.grid = 1, .block = kN}, host.data(), a.y);
        },
        ones}},
      {"use_after_free",
       {[](Arrays& a) {
          deallocate(a.x);
          synchronize();
          launch(add_one, {.grid = 1, .block = kN}, a.x, a.y);
        },
        any}},
      {"freed_on_another_stream",
       {[](Arrays& a) { freed_on_another_stream_program(a); }, [](int i) { return static_cast<float>(i + 1); }}},
      {"freed_twice",
       {[](Arrays& a) {
          check(cudaFree(a.x), "cudaFree");
          check(cudaFree(a.x), "cudaFree");
        },
        zeros}},
      {"missing_stream_wait", {[](Arrays& a) { pinned_copy_program(a, false); }, ones}},
      {"right_stream_wait", {[](Arrays& a) { pinned_copy_program(a, true); }, ones}},
      {"staging_overwritten", {[](Arrays& a) { staging_program(a, false); }, ones}},
      {"right_staging", {[](Arrays& a) { staging_program(a, true); }, ones}},
      {"missing_event", {[](Arrays& a) { two_streams_program(a, false); }, [](int) { return 3.0f; }}},
      {"right_host_work", {[](Arrays&) { host_work_program(); }, zeros}},
      {"right_event", {[](Arrays& a) { two_streams_program(a, true); }, [](int) { return 3.0f; }}},
      {"copy_in_wrong_direction",
       {[](Arrays& a) {
          std::vector<float> host(kN);
          check(cudaMemcpy(a.y, host.data(), kN * sizeof(float), cudaMemcpyDeviceToHost), "cudaMemcpy");
        },
        zeros}},
      {"copy_past_end",
       {[](Arrays& a) {
          const std::vector<float> host(kN + 1);
          copy_from_host(a.y, host.data(), (kN + 1) * sizeof(float));
        },
        zeros}},
      {"block_of_1025", {[](Arrays& a) { launch(fill, {.grid = 1, .block = 1025}, a.y, 1.0f); }, any}},
      {"too_much_shared",
       {[](Arrays& a) { launch(fill, {.grid = 1, .block = kN, .shared = 228 << 10}, a.y, 1.0f); }, any}},
      {"too_much_shared_together", plain(static_and_dynamic_shared, ones, kN, 220 << 10)},
      {"wait_in_capture", {[](Arrays&) { captured([] { synchronize(); }); }, zeros}},
      {"unjoined_capture",
       {[](Arrays& a) {
          Stream second;
          captured([&] {
            Event fork;
            fork.record();
            StreamScope scope(second);
            fork.wait();
            launch(fill, {.grid = 1, .block = kN}, a.y, 1.0f);
          });
        },
        any}},
      {"unjoined_fork",
       {[](Arrays&) {
          Stream second;
          captured([&] {
            Event fork;
            fork.record();
            StreamScope scope(second);
            fork.wait();
          });
        },
        any}},
      {"right_replay", {[](Arrays& a) { replay_program(a); }, [](int) { return 10.0f; }}},
  };
  return all;
}

int run(const std::string& name) {
  Arrays arrays;
  const Program& program = programs().at(name);
  program.run(arrays);
  const std::vector<float> result = download(arrays.y);
  for (int i = 0; i < kN; ++i) {
    const float expected = program.expected(i), value = result[static_cast<std::size_t>(i)];
    if (expected != kAny && value != expected) {
      std::printf("wrong: y[%d] is %g instead of %g\n", i, static_cast<double>(value), static_cast<double>(expected));
      return 2;
    }
  }
  return 0;
}

}  // namespace
}  // namespace diopter::cuda

int main(int, char** argv) {
  if (!argv[1]) {
    for (const auto& [name, program] : diopter::cuda::programs()) std::puts(name.c_str());
    return 0;
  }
  try {
    return diopter::cuda::run(argv[1]);
  } catch (const std::exception& error) {
    std::printf("exception: %s\n", error.what());
    return 3;
  }
}
