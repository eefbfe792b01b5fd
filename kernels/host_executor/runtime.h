// State behind the CUDA runtime calls that the host executor defines: streams as queues of operations, events as places in
// a queue, graphs as recorded queues. One lock for everything: the device does one thing at a time.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "kernels/host_executor/device_memory.h"

namespace diopter::host_executor {

using Operation = std::function<void()>;

/// What a capture records: operations in the order in which they were given, which is one of the orders that their
/// dependencies allow.
struct Graph {
  std::vector<Operation> operations;
  std::vector<void*> memory;  // allocated in the capture; the graph owns it
  ~Graph();
};

struct Stream;

/// A capture under way.
struct Capture {
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  Stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  bool valid = true;  // false after a call that no graph can hold
};

struct Stream {
  bool blocking = true;  // waits for the default stream, and it for this one
  std::deque<Operation> queue;
  std::uint64_t given = 0, done = 0;
  std::shared_ptr<Capture> capture;
};

struct Event {
  std::shared_ptr<Stream> stream;
  std::uint64_t place = 0;  // reached when so many operations of the stream are done
  std::shared_ptr<double> milliseconds = std::make_shared<double>(0.0);
  std::weak_ptr<Capture> capture;
};

class Runtime {
 public:
  /// Never destroyed: streams are used until the process ends.
  static Runtime& get();

  std::recursive_mutex mutex;
  DeviceMemory device;
  PinnedMemory pinned;

  std::shared_ptr<Stream> create_stream(bool blocking);
  void destroy_stream(const std::shared_ptr<Stream>& stream);
  /// Null for a handle that is not a stream (any more).
  std::shared_ptr<Stream> find(cudaStream_t handle) const;

  /// Gives an operation to the stream: runs now, or later (lazy), or is recorded (capture).
  void give(Stream& stream, Operation operation);
  /// Does what was given to the stream, up to the place.
  void work(Stream& stream, std::uint64_t place);
  void work(Stream& stream) { work(stream, stream.given); }
  void work_on_all();

  /// All streams that took part go back to work; a stream whose work nothing joined to the origin spoils the capture.
  void end_capture(const std::shared_ptr<Capture>& capture);
  /// The capture of this thread that forbids calls like cudaMalloc, or null.
  Capture* forbidding_capture() const;

 private:
  /// What is given to a blocking stream comes after the default stream's work, and the other way round.
  void order_with_default_stream(const Stream& stream);

  std::vector<std::shared_ptr<Stream>> streams_{std::make_shared<Stream>()};  // first: the default stream
};

/// Holds the lock for one runtime call.
struct Call {
  Runtime& runtime = Runtime::get();
  std::lock_guard<std::recursive_mutex> lock{runtime.mutex};
};

/// Remembers an error for cudaGetLastError and yields it.
cudaError_t result(cudaError_t status);

/// Gives the function to a stream, like a kernel: how a host twin of a library call (cuDNN, CUB) takes part in the order
/// of streams and in captures. Device memory may be touched while it runs.
cudaError_t enqueue(cudaStream_t stream, Operation operation);

}  // namespace diopter::host_executor
