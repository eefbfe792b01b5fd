// Memory of both devices. Plain C++: needs no CUDA header.
#pragma once

#include <cstddef>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

namespace diopter {

/// Where a tensor lives. One process drives one GPU, so there is no index.
enum class Device { cpu, cuda };

}  // namespace diopter

// On the GPU all of these are ordered by cuda::stream(), and only the copies from and to the host wait.
DIOPTER_KERNEL(
    /// Uninitialised, at least 64-byte aligned; bytes may be 0 (nullptr). Throws Error naming the size when there is
    /// none left.
    void* allocate(std::size_t bytes);
    /// Free for reuse after all that was given to the streams of this thread and of the one that allocated it.
    void deallocate(void* memory) noexcept;
    /// Sets bytes to 0.
    void zero(void* memory, std::size_t bytes);
    /// Copies within the device; the two do not overlap.
    void copy(void* to, const void* from, std::size_t bytes);
    /// Waits for the copy: the host memory may be changed afterwards. PinnedBuffer's copies wait for nothing.
    void copy_from_host(void* to, const void* from, std::size_t bytes);
    /// Waits for the copy.
    void copy_to_host(void* to, const void* from, std::size_t bytes);
    /// Bytes now allocated through allocate(), and the largest such number since reset_peak_bytes().
    std::size_t allocated_bytes(); std::size_t peak_bytes(); void reset_peak_bytes())

namespace diopter::cuda {

/// Page-locked host memory, from which copies run beside the computation. Throws Error when there is none.
void* allocate_pinned(std::size_t bytes);
void deallocate_pinned(void* memory) noexcept;

/// Queues a copy from page-locked memory, which must keep its content until the copy is done.
void queue_copy_from_host(void* to, const void* from, std::size_t bytes);

/// Waits for stream(), then gives unused memory of the device back to the driver, that of graphs, too.
void trim();

/// How often this thread has freed memory of another stream than stream() while that was recording.
int frees_of_other_streams_while_recording() noexcept;

}  // namespace diopter::cuda

namespace diopter::least_work {

inline constexpr NoWork allocate, deallocate, allocated_bytes, peak_bytes, reset_peak_bytes;

inline LeastWork zero(const void*, std::size_t bytes) { return {.bytes = static_cast<double>(bytes)}; }
inline LeastWork copy(const void*, const void*, std::size_t bytes) { return {.bytes = 2 * static_cast<double>(bytes)}; }
inline LeastWork copy_from_host(const void*, const void*, std::size_t bytes) {
  return {.bytes = static_cast<double>(bytes)};
}
inline LeastWork copy_to_host(const void*, const void*, std::size_t bytes) {
  return {.bytes = static_cast<double>(bytes)};
}

}  // namespace diopter::least_work
