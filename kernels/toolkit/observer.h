// Observer of kernels: who is told of those that a thread calls, and whether they run.
#pragma once

#include "kernels/base/least_work.h"

namespace diopter {

/// Listener that is told of every kernel that this thread calls: a Profiler (engine/profile/profile.h), or nobody.
struct KernelObserver {
  void* self;
  void (*begin)(void* self, const char* name, const LeastWork& least);
  void (*end)(void* self) noexcept;
};
inline constinit thread_local const KernelObserver* kernel_observer = nullptr;

/// Whether the kernels that this thread calls run. Not while only shapes are asked for (engine/shapes_only.h).
inline constinit thread_local bool kernels_run = true;

}  // namespace diopter
