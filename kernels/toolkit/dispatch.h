// Dispatch: the call of a kernel on the device where the data lie.
#pragma once

#include <type_traits>

#include "generated/cuda_kind.h"
#include "kernels/base/check.h"
#include "kernels/base/least_work.h"
#include "kernels/device/memory.h"
#include "kernels/toolkit/observer.h"

namespace diopter {

/// call(args...). Where least_work says that it is a kernel's, that is between the observer's begin and end where there
/// is one, and only if kernels_run or it has a result.
template <class LeastWorkOf, class Call, class... Args>
auto observed(const char* name, LeastWorkOf least_work, Call call, Device device, Args&&... args) {
  if constexpr (std::is_same_v<decltype(least_work(args...)), LeastWork>) {
    if constexpr (std::is_void_v<decltype(call(device, args...))>) {
      if (!kernels_run) return;
    }
    if (const KernelObserver* observer = kernel_observer) {
      observer->begin(observer->self, name, least_work(args...));
      const struct End {
        const KernelObserver* observer;
        ~End() { observer->end(observer->self); }
      } end{observer};
      return call(device, args...);
    }
  }
  return call(device, args...);
}

/// DIOPTER_DISPATCH(device, f, arguments...) is cpu::f(arguments...) or cuda::f(arguments...); least_work::f takes the
/// same.
#ifdef DIOPTER_WITH_CUDA
#define DIOPTER_DISPATCH(device, f, ...)                                                                       \
  ::diopter::observed(                                                                                         \
      #f, [](auto&&... given) { return ::diopter::least_work::f(given...); },                                  \
      [](::diopter::Device chosen, auto&&... given) {                                                          \
        return chosen == ::diopter::Device::cuda ? ::diopter::cuda::f(given...) : ::diopter::cpu::f(given...); \
      },                                                                                                       \
      device __VA_OPT__(, ) __VA_ARGS__)
inline void require_device(Device) {}
#else
#define DIOPTER_DISPATCH(device, f, ...)                                      \
  ::diopter::observed(                                                        \
      #f, [](auto&&... given) { return ::diopter::least_work::f(given...); }, \
      [](::diopter::Device chosen, auto&&... given) {                         \
        ::diopter::require_device(chosen);                                    \
        return ::diopter::cpu::f(given...);                                   \
      },                                                                      \
      device __VA_OPT__(, ) __VA_ARGS__)
/// Throws Error for a device that this build does not have.
inline void require_device(Device device) {
  DIOPTER_CHECK(device == Device::cpu, "this build has no CUDA: configure with -DDIOPTER_CUDA=on, or use --device cpu");
}
#endif

#if defined(DIOPTER_WITH_CUDA) && !defined(DIOPTER_HOST_EXECUTOR)
inline constexpr bool kHasGpu = true;
#else
inline constexpr bool kHasGpu = false;
#endif

}  // namespace diopter
