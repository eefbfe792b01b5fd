// What AddressSanitizer has to know of fibres and of device memory. Empty without it.
#pragma once

#include <cstddef>

#include "kernels/host_executor/fibre.h"

#if defined(__SANITIZE_ADDRESS__)
#define DIOPTER_EXECUTOR_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DIOPTER_EXECUTOR_ASAN
#endif
#endif

#ifdef DIOPTER_EXECUTOR_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace diopter::host_executor::address_sanitizer {

#ifdef DIOPTER_EXECUTOR_ASAN

inline constexpr bool kPresent = true;

/// The fibre that was left by the switch now under way.
inline thread_local Fibre* left = nullptr;

inline void leave(Fibre& from, Fibre& to) {
  left = &from;
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.stack_bytes);
}

inline void entered(Fibre& fibre) {
  // The bounds of a host thread's own stack are learnt when it is first left.
  __sanitizer_finish_switch_fiber(fibre.fake_stack, &left->stack, &left->stack_bytes);
}

inline void forbid(const void* memory, std::size_t bytes) { __asan_poison_memory_region(memory, bytes); }
inline void allow(const void* memory, std::size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }

#else

inline constexpr bool kPresent = false;
inline void leave(Fibre&, Fibre&) {}
inline void entered(Fibre&) {}
inline void forbid(const void*, std::size_t) {}
inline void allow(const void*, std::size_t) {}

#endif

}  // namespace diopter::host_executor::address_sanitizer
