// Copies between host and device that the computation does not wait for.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

namespace diopter {

/// Host memory that the device reads and writes by itself: page-locked for a GPU.
class PinnedBuffer {
 public:
  virtual ~PinnedBuffer() = default;
  /// The memory, for the host to use: waits for the copies that were queued from or to it.
  virtual void* data() = 0;
  virtual std::size_t bytes() const = 0;
  /// Queues a copy of [offset, offset + bytes) to the device, in the order of the current stream; returns at once.
  virtual void upload(void* to, std::size_t offset, std::size_t bytes) = 0;
  /// Queues a copy of `bytes` from the device to the beginning of this memory; returns at once.
  virtual void download(const void* from, std::size_t bytes) = 0;
};

/// Device work beside the computation, on a stream of its own.
struct SideStream {
  /// Calls `queue`; what it allocates and queues runs beside what is queued elsewhere, before or afterwards: it must
  /// not touch memory that the caller's work may still use.
  std::function<void(const std::function<void()>& queue)> run;
  /// What is queued by the caller from now on comes after all that run() queued.
  std::function<void()> join;
};

}  // namespace diopter

DIOPTER_KERNEL(
    /// Throws Error when there is no such memory left.
    std::unique_ptr<PinnedBuffer> make_pinned_buffer(std::size_t bytes);
    /// On the CPU nothing runs beside anything: run() calls `queue`, join() does nothing.
    SideStream make_side_stream())

namespace diopter::least_work {

inline constexpr NoWork make_pinned_buffer, make_side_stream;

}  // namespace diopter::least_work
