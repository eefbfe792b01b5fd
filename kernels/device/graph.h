// Device work that is recorded once and then queued with one call, as often as wanted: a CUDA graph on a GPU.
#pragma once

#include <functional>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

DIOPTER_KERNEL(
    /// Calls `queue` and records what that gives to the device, instead of doing it: kernels with the arguments they
    /// have now, copies within the device, memory of the work's own. `queue` frees what it allocates, and nothing else;
    /// it copies nothing from or to the host and waits for nothing: Error says which. A call of the result queues all
    /// of it, in the order of the current stream, and returns at once. On the CPU the result is `queue`.
    std::function<void()> capture_graph(const std::function<void()>& queue))

namespace diopter::least_work {

inline constexpr NoWork capture_graph;

}  // namespace diopter::least_work
