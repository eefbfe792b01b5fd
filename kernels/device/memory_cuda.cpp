// Memory of the GPU: CUDA's stream-ordered allocator, with a register of what was allocated on which stream.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "kernels/base/check.h"
#include "kernels/device/cuda_check.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

namespace {

struct Allocation {
  std::size_t bytes;
  StreamReference stream;  // keeps the stream until its last allocation is freed
};

struct Register {
  std::mutex mutex;
  std::unordered_map<void*, Allocation> allocations;
  std::size_t bytes = 0, peak = 0;
};

/// Never destroyed: tensors may be freed until the process ends.
Register& allocated() {
  static auto* instance = new Register;
  return *instance;
}

std::size_t mebibytes(std::size_t bytes) { return bytes >> 20; }

thread_local int frees_of_other_streams = 0;

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  StreamReference stream = stream_reference();
  cudaError_t status = cudaMallocAsync(&memory, bytes, stream.get());
  if (status == cudaErrorMemoryAllocation && !capturing()) {
    // Memory that was freed in other sizes, or belonged to graphs, is still this process's: with it, once more.
    ignore(status);
    trim();
    status = cudaMallocAsync(&memory, bytes, stream.get());
  }
  if (status == cudaErrorMemoryAllocation) {
    ignore(status);
    std::size_t free = 0, total = 0;
    ignore(cudaMemGetInfo(&free, &total));
    fail("out of GPU memory: ", mebibytes(bytes), " MiB wanted, ", mebibytes(free), " of ", mebibytes(total),
         " MiB free, ", mebibytes(allocated_bytes()), " MiB held by this process");
  }
  check(status, "cudaMallocAsync");
  Register& all = allocated();
  std::lock_guard lock(all.mutex);
  all.allocations.emplace(memory, Allocation{bytes, std::move(stream)});
  all.bytes += bytes;
  all.peak = std::max(all.peak, all.bytes);
  return memory;
}

// Errors are not reported: this runs in destructors, and at the end of the process the driver may be gone already.
void deallocate(void* memory) noexcept {
  if (!memory) return;
  Register& all = allocated();
  std::lock_guard lock(all.mutex);
  const auto found = all.allocations.find(memory);
  if (found == all.allocations.end()) return;
  const cudaStream_t owner = found->second.stream.get();
  if (!wait_for_current(owner)) ++frees_of_other_streams;  // capture_graph refuses such work
  ignore(cudaFreeAsync(memory, owner));
  all.bytes -= found->second.bytes;
  all.allocations.erase(found);
}

void zero(void* memory, std::size_t bytes) {
  if (bytes > 0) check(cudaMemsetAsync(memory, 0, bytes, stream()), "cudaMemsetAsync");
}

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()), "cudaMemcpyAsync");
}

void copy_from_host(void* to, const void* from, std::size_t bytes) {
  queue_copy_from_host(to, from, bytes);
  // CUDA may read memory that is not page-locked as late as it reads other memory.
  synchronize();
}

void queue_copy_from_host(void* to, const void* from, std::size_t bytes) {
  // The graph would keep the host's address, and read there at every launch.
  DIOPTER_CHECK(!capturing(), "a copy of ", bytes, " bytes from the host cannot be part of recorded work");
  if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
}

void copy_to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  synchronize();
}

std::size_t allocated_bytes() {
  std::lock_guard lock(allocated().mutex);
  return allocated().bytes;
}

std::size_t peak_bytes() {
  std::lock_guard lock(allocated().mutex);
  return allocated().peak;
}

void reset_peak_bytes() {
  std::lock_guard lock(allocated().mutex);
  allocated().peak = allocated().bytes;
}

void* allocate_pinned(std::size_t bytes) {
  stream();  // sets the device
  void* memory = nullptr;
  check(cudaMallocHost(&memory, std::max<std::size_t>(bytes, 1)), "cudaMallocHost");
  return memory;
}

void deallocate_pinned(void* memory) noexcept { ignore(cudaFreeHost(memory)); }

void trim() {
  synchronize();
  int device = 0;
  cudaMemPool_t pool{};
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
  check(cudaMemPoolTrimTo(pool, 0), "cudaMemPoolTrimTo");
  check(cudaDeviceGraphMemTrim(device), "cudaDeviceGraphMemTrim");
}

int frees_of_other_streams_while_recording() noexcept { return frees_of_other_streams; }

}  // namespace diopter::cuda
