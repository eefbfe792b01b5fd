// State behind the CUDA runtime calls that the host executor defines: streams as queues of operations, events as places
// in a queue, graphs as recorded queues. One lock for everything: the device does one thing at a time.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/host_executor/copies.h"
#include "kernels/host_executor/device_memory.h"
#include "kernels/host_executor/race_detector.h"

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

/// How much of each stream's part of a capture comes before some point of it.
using Covered = std::map<const Stream*, std::uint64_t>;

/// A capture under way.
struct Capture {
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  Stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;
  std::map<const Stream*, Covered> covered;  // by the last operation of each stream that takes part
  bool valid = true;                         // false after a call that no graph can hold
};

struct Stream {
  explicit Stream(bool is_blocking) : blocking(is_blocking) {}
  ~Stream() { race_detector::end_actor(actor); }
  Stream(const Stream&) = delete;

  const bool blocking;  // waits for the default stream, and it for this one
  std::deque<Operation> queue;
  std::uint64_t given = 0, done = 0;
  std::shared_ptr<Capture> capture;
  race_detector::Actor actor = race_detector::make_actor("stream");
  race_detector::Clock order;  // of what is done, before who waits for it
};

struct Event {
  std::shared_ptr<Stream> stream;
  std::uint64_t place = 0;  // reached when so many operations of the stream are done
  struct Reached {
    double milliseconds = 0.0;
    race_detector::Clock order;
  };
  std::shared_ptr<Reached> reached;
  std::weak_ptr<Capture> capture;
  Covered covered;  // in a capture
};

class Runtime {
 public:
  /// Never destroyed: streams are used until the process ends.
  static Runtime& get();

  std::recursive_mutex mutex;
  DeviceMemory device;
  PinnedMemory pinned;
  Copies copies;

  std::shared_ptr<Stream> create_stream(bool blocking);
  void destroy_stream(const std::shared_ptr<Stream>& stream);
  /// Null for a handle that is not a stream (any more).
  std::shared_ptr<Stream> find(cudaStream_t handle) const;

  /// Gives an operation to the stream: runs now, or later (lazy), or is recorded (capture).
  void give(Stream& stream, Operation operation);
  /// Does what was given to the stream, up to the place.
  void work(Stream& stream, std::uint64_t place);

  void begin_capture(Stream& origin, cudaStreamCaptureMode mode);
  /// All streams that took part go back to work. An error when the capture was spoilt, or when a stream has work that
  /// the origin never waited for.
  cudaError_t end_capture(Capture& capture);
  /// The capture of this thread that forbids calls like cudaMalloc, or null.
  Capture* forbidding_capture() const;

 private:
  friend class Call;

  /// What is given to a blocking stream comes after the default stream's work, and the other way round.
  void order_with_default_stream(Stream& stream);

  std::vector<std::shared_ptr<Stream>> streams_{std::make_shared<Stream>(true)};  // first: the default stream
  race_detector::Clock given_;  // of what the host did before a call, before what streams do after it
};

/// One runtime call: holds the lock, and works as the executor's own actor.
class Call {
 public:
  Runtime& runtime = Runtime::get();

  Call();
  ~Call() { race_detector::become(host_); }
  Call(const Call&) = delete;

  /// The host waits until the stream has done what it was given.
  void wait_for(Stream& stream);
  void wait_for(const Event& event);
  void wait_for_all();
  /// Whether a capture forbids calls such as this one; it is spoilt then, as on a GPU.
  bool spoils_capture();

 private:
  std::lock_guard<std::recursive_mutex> lock_{runtime.mutex};
  const race_detector::Actor host_ = race_detector::current_actor();
};

/// Remembers an error for cudaGetLastError and yields it.
cudaError_t result(cudaError_t status);

}  // namespace diopter::host_executor
