// CUDA runtime calls for streams, events and graphs.
#include <algorithm>
#include <chrono>

#include "kernels/host_executor/language.h"
#include "kernels/host_executor/runtime.h"

using namespace diopter::host_executor;

namespace {

Event& event_of(cudaEvent_t handle) { return *reinterpret_cast<Event*>(handle); }
using GraphHandle = std::shared_ptr<Graph>;
GraphHandle& graph_of(void* handle) { return *static_cast<GraphHandle*>(handle); }

double now() {
  race_detector::As self(race_detector::executor());  // reading the clock writes to the stack, in the name of who acts
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// For calls that wait for a stream: none may wait for a stream that only records.
bool spoils_capture(Stream& stream) {
  if (stream.capture) stream.capture->valid = false;
  return stream.capture != nullptr;
}

/// For queries. Does one piece of the stream's pending work, so that a loop that asks again and again comes to an end.
bool finished(Runtime& runtime, Stream& stream, std::uint64_t place) {
  if (stream.done >= place) return true;
  runtime.work(stream, stream.done + 1);
  return false;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
  Call call;
  *handle = reinterpret_cast<cudaStream_t>(call.runtime.create_stream(!(flags & cudaStreamNonBlocking)).get());
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* handle) { return cudaStreamCreateWithFlags(handle, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream || !handle) return result(cudaErrorInvalidResourceHandle);
  call.runtime.destroy_stream(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (spoils_capture(*stream)) return result(cudaErrorStreamCaptureUnsupported);
  call.wait_for(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (spoils_capture(*stream)) return result(cudaErrorStreamCaptureUnsupported);
  if (!finished(call.runtime, *stream, stream->given)) return cudaErrorNotReady;
  call.wait_for(*stream);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  Call call;
  if (call.spoils_capture()) return result(cudaErrorStreamCaptureUnsupported);
  call.wait_for_all();
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  const Event& event = event_of(event_handle);
  if (const auto capture = event.capture.lock()) {
    if (stream->capture && stream->capture != capture) return result(cudaErrorStreamCaptureMerge);
    Covered& covered = capture->covered[stream.get()];
    if (!stream->capture) ++covered[stream.get()];  // a fork, to be joined even where nothing follows it
    stream->capture = capture;
    for (const auto& [other, operations] : event.covered) covered[other] = std::max(covered[other], operations);
    return cudaSuccess;
  }
  if (stream->capture) return result(cudaErrorStreamCaptureIsolation);
  if (!event.stream) return cudaSuccess;  // never recorded
  call.runtime.give(*stream,
                    [&runtime = call.runtime, other = event.stream, place = event.place, reached = event.reached] {
                      runtime.work(*other, place);
                      reached->order.acquire();
                    });
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return enqueue(handle, [function, data] { function(data); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
  *handle = reinterpret_cast<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* handle) { return cudaEventCreateWithFlags(handle, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  Call call;
  delete &event_of(handle);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle) {
  Call call;
  const auto stream = call.runtime.find(stream_handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  Event& event = event_of(handle);
  event.capture = stream->capture;
  if (stream->capture) {
    event.covered = stream->capture->covered[stream.get()];
    return cudaSuccess;
  }
  event.reached = std::make_shared<Event::Reached>();
  call.runtime.give(*stream, [reached = event.reached] {
    reached->milliseconds = now();
    reached->order.release();
  });
  event.stream = stream;
  event.place = stream->given;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  Call call;
  const Event& event = event_of(handle);
  if (!event.capture.expired()) return result(cudaErrorCapturedEvent);
  call.wait_for(event);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  Call call;
  const Event& event = event_of(handle);
  if (!event.capture.expired()) return result(cudaErrorCapturedEvent);
  if (event.stream && !finished(call.runtime, *event.stream, event.place)) return cudaErrorNotReady;
  call.wait_for(event);
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  Call call;
  const Event &from = event_of(start), &to = event_of(end);
  if (!from.stream || !to.stream) return result(cudaErrorInvalidResourceHandle);
  if (from.stream->done < from.place || to.stream->done < to.place) return cudaErrorNotReady;
  *milliseconds = static_cast<float>(to.reached->milliseconds - from.reached->milliseconds);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (!handle) return result(cudaErrorStreamCaptureUnsupported);
  if (stream->capture) return result(cudaErrorIllegalState);
  call.runtime.begin_capture(*stream, mode);
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  Call call;
  const auto stream = call.runtime.find(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  *status = !stream->capture         ? cudaStreamCaptureStatusNone
            : stream->capture->valid ? cudaStreamCaptureStatusActive
                                     : cudaStreamCaptureStatusInvalidated;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  Call call;
  const auto stream = call.runtime.find(handle);
  *graph = nullptr;
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  const auto capture = stream->capture;
  if (!capture) return result(cudaErrorIllegalState);
  if (capture->origin != stream.get()) return result(cudaErrorStreamCaptureUnmatched);
  if (const cudaError_t status = call.runtime.end_capture(*capture)) return result(status);
  *graph = reinterpret_cast<cudaGraph_t>(new GraphHandle(capture->graph));
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  Call call;
  *executable = reinterpret_cast<cudaGraphExec_t>(new GraphHandle(graph_of(graph)));
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return enqueue(stream, [graph = graph_of(executable)] {
    for (const Operation& operation : graph->operations) operation();
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  Call call;
  delete &graph_of(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  Call call;
  delete &graph_of(executable);
  return cudaSuccess;
}

}  // extern "C"
