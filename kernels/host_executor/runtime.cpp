#include "kernels/host_executor/runtime.h"

#include <algorithm>

#include "kernels/host_executor/options.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor {

static thread_local cudaError_t last_error = cudaSuccess;

Graph::~Graph() {
  for (void* piece : memory) Runtime::get().device.release(piece);
}

Runtime& Runtime::get() {
  static auto* runtime = new Runtime;
  return *runtime;
}

std::shared_ptr<Stream> Runtime::create_stream(bool blocking) {
  streams_.push_back(std::make_shared<Stream>());
  streams_.back()->blocking = blocking;
  return streams_.back();
}

void Runtime::destroy_stream(const std::shared_ptr<Stream>& stream) {
  work(*stream);
  std::erase(streams_, stream);
}

std::shared_ptr<Stream> Runtime::find(cudaStream_t handle) const {
  if (!handle) return streams_.front();
  const auto same = [handle](const auto& stream) { return reinterpret_cast<cudaStream_t>(stream.get()) == handle; };
  const auto found = std::find_if(streams_.begin(), streams_.end(), same);
  return found == streams_.end() ? nullptr : *found;
}

void Runtime::give(Stream& stream, Operation operation) {
  if (stream.capture) {
    stream.capture->graph->operations.push_back(std::move(operation));
    return;
  }
  order_with_default_stream(stream);
  ++stream.given;
  stream.queue.push_back(std::move(operation));
  if (!options().lazy) work(stream);
}

void Runtime::work(Stream& stream, std::uint64_t place) {
  while (stream.done < place && !stream.queue.empty()) {
    const Operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    {
      DeviceMemory::Access access(device);
      operation();
    }
    ++stream.done;
  }
}

void Runtime::work_on_all() {
  for (const auto& stream : std::vector(streams_)) work(*stream);
}

void Runtime::order_with_default_stream(const Stream& stream) {
  if (!stream.blocking) return;
  Stream& default_stream = *streams_.front();
  if (&stream != &default_stream) return work(default_stream);
  for (const auto& other : std::vector(streams_)) {
    if (other->blocking && other.get() != &default_stream) work(*other);
  }
}

void Runtime::end_capture(const std::shared_ptr<Capture>& capture) {
  for (const auto& stream : streams_) {
    if (stream->capture == capture) stream->capture = nullptr;
  }
}

Capture* Runtime::forbidding_capture() const {
  for (const auto& stream : streams_) {
    Capture* capture = stream->capture.get();
    if (!capture || capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (capture->mode == cudaStreamCaptureModeGlobal || capture->thread == std::this_thread::get_id()) return capture;
  }
  return nullptr;
}

cudaError_t result(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t enqueue(cudaStream_t handle, Operation operation) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  call.runtime.give(*stream, std::move(operation));
  return cudaSuccess;
}

cudaError_t enqueue_grid(const LaunchShape& shape, cudaStream_t stream, void (*run)(const void*),
                         std::shared_ptr<const void> arguments) {
  constexpr std::size_t kMostShared = 227 << 10;
  const Grid grid{shape, run, std::move(arguments)};
  const bool valid = grid.blocks() > 0 && shape.grid.x <= 0x7fffffffu && shape.grid.y <= 65535 &&
                     shape.grid.z <= 65535 && shape.block.x > 0 && shape.block.y > 0 && shape.block.z > 0 &&
                     std::uint64_t{shape.block.x} * shape.block.y * shape.block.z <= kMaxThreads &&
                     shape.block.z <= 64 && shape.shared <= kMostShared;
  if (!valid) return result(cudaErrorInvalidConfiguration);
  return enqueue(stream, [grid] { run_grid(grid); });
}

}  // namespace diopter::host_executor

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t status = diopter::host_executor::last_error;
  diopter::host_executor::last_error = cudaSuccess;
  return status;
}

cudaError_t cudaPeekAtLastError() { return diopter::host_executor::last_error; }

}  // extern "C"
