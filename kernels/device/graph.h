// Device work that is recorded once and then queued with one call, as often as wanted: a CUDA graph on a GPU.
#pragma once

#include <functional>
#include <memory>

#include "kernels/base/least_work.h"
#include "kernels/base/host_device.h"

namespace diopter {

class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  /// Queues all of it, in the order of the current stream; returns at once.
  virtual void run() = 0;
};

}  // namespace diopter

DIOPTER_KERNEL(
  /// Calls `queue` and records what that gives to the device, instead of doing it: kernels with the arguments they have
  /// now, copies within the device, memory of the work's own. `queue` frees what it allocates, and nothing else; it copies
  /// nothing from or to the host and waits for nothing: Error says which. The CPU calls `queue` at each run instead.
  std::unique_ptr<CapturedGraph> capture_graph(const std::function<void()>& queue))

namespace diopter::least_work {

inline constexpr NoWork capture_graph;

}  // namespace diopter::least_work
