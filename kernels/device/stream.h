// The CUDA stream that a host thread works on, as RAII objects. Plain C++: needs no CUDA header.
#pragma once

#include <memory>
#include <string>

struct CUstream_st;
struct CUevent_st;
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;

namespace diopter::cuda {

/// Why this process cannot use a GPU, in one line; "" when it can. Never throws.
std::string device_problem();

/// One line for people: name, compute capability and memory of the device. Throws Error where there is none.
std::string device_description();

/// CUDA's version in this build, and the one that the driver supports. Never throws.
std::string version_description();

/// The stream that kernels, copies and allocations of this host thread go to: a non-blocking one, made at the first
/// call, unless a StreamScope names another.
cudaStream_t stream();

/// Waits until everything on stream() is done. Errors of earlier kernels surface here.
void synchronize();

/// Whether stream() is recording a graph instead of working.
bool capturing();

/// A stream that lives as long as anybody refers to it: allocations do, since they are freed on their stream.
using StreamReference = std::shared_ptr<CUstream_st>;

/// stream(), kept alive.
StreamReference stream_reference();

/// A new non-blocking stream.
StreamReference make_stream();

/// What is given to `other` from now on comes after what was given to stream(). Does nothing where CUDA fails, and
/// where stream() is recording, which `other` would be drawn into: then it returns false.
bool wait_for_current(cudaStream_t other) noexcept;

/// A non-blocking stream of one's own, e.g. for copies beside the computation.
class Stream {
 public:
  Stream() : stream_(make_stream()) {}
  const StreamReference& reference() const { return stream_; }

 private:
  StreamReference stream_;
};

/// While it lives, stream() of this host thread is the given stream. Scopes nest.
class StreamScope {
 public:
  explicit StreamScope(const Stream& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;

 private:
  StreamReference before_;
};

/// A point in the order of a stream's work, for one stream to wait for another.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  /// The point now reached by what was given to stream().
  void record();
  /// What is given to stream() from now on runs after the recorded point. Does not block the host.
  void wait() const;
  /// Whether the recorded point is reached.
  bool reached() const;
  /// Blocks the host until the recorded point is reached.
  void synchronize() const;
  /// Milliseconds from `start` to this event; both recorded and reached.
  float milliseconds_since(const Event& start) const;

 private:
  cudaEvent_t event_;
};

}  // namespace diopter::cuda
