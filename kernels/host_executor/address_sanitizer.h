// AddressSanitizer's view of stacks and of device memory. Without it all of this is empty.
#pragma once

#include <cstddef>

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

/// The stack of a fibre.
struct Stack {
  const void* lowest = nullptr;  // address
  std::size_t bytes = 0;
  void* fake = nullptr;  // AddressSanitizer's own
};

#ifdef DIOPTER_EXECUTOR_ASAN

inline constexpr bool kPresent = true;

/// The stack that was left by the switch now under way.
inline thread_local Stack* left = nullptr;

inline void leave(Stack& from, Stack& to) {
  left = &from;
  __sanitizer_start_switch_fiber(&from.fake, to.lowest, to.bytes);
}

inline void entered(Stack& stack) {
  // The bounds of a host thread's own stack are learnt when it is first left.
  __sanitizer_finish_switch_fiber(stack.fake, &left->lowest, &left->bytes);
}

inline void forbid(const void* memory, std::size_t bytes) { __asan_poison_memory_region(memory, bytes); }
inline void allow(const void* memory, std::size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }

#else

inline constexpr bool kPresent = false;
inline void leave(Stack&, Stack&) {}
inline void entered(Stack&) {}
inline void forbid(const void*, std::size_t) {}
inline void allow(const void*, std::size_t) {}

#endif

}  // namespace diopter::host_executor::address_sanitizer
