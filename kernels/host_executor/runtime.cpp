#include "kernels/host_executor/runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/host_executor/options.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor {

static thread_local cudaError_t last_error = cudaSuccess;

Graph::~Graph() {
  for (void* piece : memory) Runtime::get().device.release(piece, DeviceMemory::Kept::for_graphs);
}

Runtime& Runtime::get() {
  static auto* runtime = (options(), new Runtime);  // a wrong option is refused before anything runs
  return *runtime;
}

std::shared_ptr<Stream> Runtime::create_stream(bool blocking) {
  streams_.push_back(std::make_shared<Stream>(blocking));
  return streams_.back();
}

void Runtime::destroy_stream(const std::shared_ptr<Stream>& stream) {
  work(*stream, stream->given);
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
    ++stream.capture->covered[&stream][&stream];
    return;
  }
  order_with_default_stream(stream);
  ++stream.given;
  stream.queue.push_back(std::move(operation));
  if (!options().lazy) work(stream, stream.given);
}

void Runtime::work(Stream& stream, std::uint64_t place) {
  race_detector::As self(race_detector::executor());  // one stream's wait may be what makes another work
  race_detector::stack_below_is_reused(static_cast<const char*>(__builtin_frame_address(0)));
  while (stream.done < place && !stream.queue.empty()) {
    const Operation operation = std::move(stream.queue.front());
    stream.queue.pop_front();
    {
      DeviceMemory::Access access(device);
      race_detector::As as(stream.actor);
      given_.acquire();
      operation();
      stream.order.release();
    }
    ++stream.done;
  }
}

void Runtime::order_with_default_stream(Stream& stream) {
  if (!stream.blocking) return;
  const auto come_after = [this](Stream& later, Stream& earlier) {
    work(earlier, earlier.given);
    race_detector::As as(later.actor);
    earlier.order.acquire();
  };
  Stream& default_stream = *streams_.front();
  if (&stream != &default_stream) return come_after(stream, default_stream);
  for (const auto& other : std::vector(streams_)) {
    if (other->blocking && other.get() != &default_stream) come_after(default_stream, *other);
  }
}

void Runtime::begin_capture(Stream& origin, cudaStreamCaptureMode mode) {
  origin.capture = std::make_shared<Capture>();
  origin.capture->origin = &origin;
  origin.capture->mode = mode;
  origin.capture->thread = std::this_thread::get_id();
}

cudaError_t Runtime::end_capture(Capture& capture) {
  for (const auto& stream : streams_) {
    if (stream->capture.get() == &capture) stream->capture = nullptr;
  }
  if (!capture.valid) return cudaErrorStreamCaptureInvalidated;
  const auto operations_of = [](const Stream* stream, const Covered& covered) {
    const auto found = covered.find(stream);
    return found == covered.end() ? 0 : found->second;
  };
  const Covered& joined = capture.covered[capture.origin];
  for (const auto& [stream, covered] : capture.covered) {
    if (operations_of(stream, covered) > operations_of(stream, joined)) return cudaErrorStreamCaptureUnjoined;
  }
  return cudaSuccess;
}

Capture* Runtime::forbidding_capture() const {
  for (const auto& stream : streams_) {
    Capture* capture = stream->capture.get();
    if (!capture || capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (capture->mode == cudaStreamCaptureModeGlobal || capture->thread == std::this_thread::get_id()) return capture;
  }
  return nullptr;
}

Call::Call() {
  runtime.given_.release();
  race_detector::become(race_detector::executor());
}

void Call::wait_for(Stream& stream) {
  runtime.work(stream, stream.given);
  race_detector::As as(host_);
  stream.order.acquire();
}

void Call::wait_for(const Event& event) {
  if (!event.stream) return;  // never recorded
  runtime.work(*event.stream, event.place);
  race_detector::As as(host_);
  event.reached->order.acquire();
}

void Call::wait_for_all() {
  for (const auto& stream : std::vector(runtime.streams_)) wait_for(*stream);
}

bool Call::spoils_capture() {
  Capture* capture = runtime.forbidding_capture();
  if (capture) capture->valid = false;
  return capture != nullptr;
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
  Grid grid{shape, run, std::move(arguments)};
  const bool valid = grid.blocks() > 0 && shape.grid.x <= 0x7fffffffu && shape.grid.y <= 65535 &&
                     shape.grid.z <= 65535 && shape.block.x > 0 && shape.block.y > 0 && shape.block.z > 0 &&
                     std::uint64_t{shape.block.x} * shape.block.y * shape.block.z <= kMaxThreads &&
                     shape.block.z <= 64 && shape.shared <= kMostShared;
  if (!valid) return result(cudaErrorInvalidConfiguration);
  if (options().fault == Fault::no_kernel_image) return result(cudaErrorNoKernelImageForDevice);
  // Moved, so that the arguments die with the operation, after the kernel, and not here.
  return enqueue(stream, [grid = std::move(grid)] { run_grid(grid); });
}

void require_device_pointer(const void* p, int argument, const LaunchShape& shape) {
  Call call;
  const auto usable = [&](const void* q) { return call.runtime.device.contains(q) || call.runtime.pinned.contains(q); };
  // The end of an array is the address of no element, and fine where there is none to touch.
  if (!p || usable(p) || usable(static_cast<const char*>(p) - 1)) return;
  std::fprintf(stderr,
               "host executor: kernel launched at %s:%d: its argument %d points to host memory, or to memory that was "
               "freed\n",
               shape.file, shape.line, argument);
  std::abort();
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
