// Streams of other programs' making.
#pragma once

#include <memory>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

DIOPTER_KERNEL(
    /// While the result lives, kernels, copies and allocations of this host thread go to `stream`, a cudaStream_t that
    /// must live as long (null: CUDA's default stream). The result must end in the thread that asked for it. On the CPU
    /// nothing changes. Throws Error where the device cannot be used.
    std::shared_ptr<const void> borrow_stream(void* stream);
    /// The stream of this host thread, for another one to borrow; null on the CPU.
    void* current_stream())

namespace diopter::least_work {

inline constexpr NoWork borrow_stream, current_stream;

}  // namespace diopter::least_work
