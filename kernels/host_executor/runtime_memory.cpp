// CUDA runtime calls for memory.
#include <algorithm>
#include <cstring>

#include "kernels/host_executor/runtime.h"

using namespace diopter::host_executor;

namespace {

bool to_device(cudaMemcpyKind kind) { return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice; }
bool from_device(cudaMemcpyKind kind) { return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice; }

/// Whether [p, p + bytes) is what the direction of a copy says: one piece of device memory, or none of it.
bool is_side(const Runtime& runtime, const void* p, std::size_t bytes, bool device) {
  return device ? runtime.device.holds(p, bytes) : !runtime.device.contains(p);
}

cudaError_t copy(Call& call, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
  Runtime& runtime = call.runtime;
  const auto stream = runtime.find(handle);
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  const bool to_gpu = kind == cudaMemcpyDefault ? runtime.device.contains(to) : to_device(kind);
  const bool from_gpu = kind == cudaMemcpyDefault ? runtime.device.contains(from) : from_device(kind);
  if (!is_side(runtime, to, bytes, to_gpu) || !is_side(runtime, from, bytes, from_gpu)) return cudaErrorInvalidValue;
  // Host memory is read when the stream comes to it: for memory that is not page-locked CUDA promises no more. Such
  // memory is written before the call returns.
  runtime.give(*stream, [&done = runtime.copies, to_gpu, from_gpu, to, from, bytes] {
    std::memmove(to, from, bytes);
    if (to_gpu == from_gpu) return;
    ++(to_gpu ? done.to_device : done.to_host);
    (to_gpu ? done.bytes_to_device : done.bytes_to_host) += static_cast<std::int64_t>(bytes);
  });
  if (!stream->capture && !to_gpu && !runtime.pinned.contains(to)) call.wait_for(*stream);
  return cudaSuccess;
}

}  // namespace

Copies diopter::host_executor::copies() {
  Call call;
  return call.runtime.copies;
}

extern "C" {

cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  *p = call.runtime.device.allocate(bytes);
  return result(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* p) {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  call.wait_for_all();
  return result(!p || call.runtime.device.release(p) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  using Kept = DeviceMemory::Kept;
  *p = call.runtime.device.allocate(bytes, stream->capture ? Kept::for_graphs : Kept::in_pool);
  if (!*p) return result(cudaErrorMemoryAllocation);
  if (stream->capture) stream->capture->graph->memory.push_back(*p);
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* p, cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (!p) return cudaSuccess;
  if (!call.runtime.device.holds(p, 0)) return result(cudaErrorInvalidValue);
  // What a graph allocates stays until the graph is destroyed: each launch uses the same addresses again. It cannot
  // free anything else.
  if (stream->capture) {
    const std::vector<void*>& own = stream->capture->graph->memory;
    return result(std::find(own.begin(), own.end(), p) != own.end() ? cudaSuccess : cudaErrorInvalidValue);
  }
  call.runtime.give(*stream, [&device = call.runtime.device, p] { device.release(p, DeviceMemory::Kept::in_pool); });
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  *p = call.runtime.pinned.allocate(bytes);
  return result(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) { return cudaMallocHost(p, bytes); }

cudaError_t cudaFreeHost(void* p) {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  call.wait_for_all();
  return result(!p || call.runtime.pinned.release(p) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
  Call call;
  return result(copy(call, to, from, bytes, kind, handle));
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  const cudaError_t status = copy(call, to, from, bytes, kind, nullptr);
  if (status == cudaSuccess) call.wait_for(*call.runtime.find(nullptr));
  return result(status);
}

cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (bytes == 0) return cudaSuccess;
  if (!call.runtime.device.holds(p, bytes)) return result(cudaErrorInvalidValue);
  call.runtime.give(*stream, [p, value, bytes] { std::memset(p, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemset(void* p, int value, std::size_t bytes) { return cudaMemsetAsync(p, value, bytes, nullptr); }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  Call call;
  *free = call.runtime.device.free();
  *total = call.runtime.device.total();
  return cudaSuccess;
}

// One memory pool, which keeps what is freed until it is trimmed: as with the highest release threshold.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = reinterpret_cast<cudaMemPool_t>(&Runtime::get().device);
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) {
  Call call;
  call.runtime.device.trim(DeviceMemory::Kept::in_pool);
  return cudaSuccess;
}
cudaError_t cudaDeviceGraphMemTrim(int) {
  Call call;
  call.runtime.device.trim(DeviceMemory::Kept::for_graphs);
  return cudaSuccess;
}

}  // extern "C"
