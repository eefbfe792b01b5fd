// From a tensor's device and type to the kernel: the only #ifdef of engine/.
#pragma once

#include <type_traits>

#include "engine/profile/profile.h"
#include "engine/tensor.h"

namespace diopter {

/// call(args...), measured by the Profiler where there is one and `floor` says that it is work of a device.
template <class FloorOf, class Call, class... Args>
auto profiled(const char* name, FloorOf floor, Call call, Device device, Args&&... args) {
  if constexpr (std::is_same_v<decltype(floor(args...)), Floor>) {
    if (RangeListener::current()) {
      const ProfiledScope scope(ProfiledRange::Kind::kernel, name, "", floor(args...));
      return call(device, args...);
    }
  }
  return call(device, args...);
}

/// DIOPTER_DISPATCH(device, f, arguments...) is cpu::f(arguments...) or cuda::f(arguments...); floors::f takes the same.
#ifdef DIOPTER_WITH_CUDA
#define DIOPTER_DISPATCH(device, f, ...)                                                                       \
  ::diopter::profiled(                                                                                         \
      #f, [](auto&&... given) { return ::diopter::floors::f(given...); },                                      \
      [](::diopter::Device chosen, auto&&... given) {                                                          \
        return chosen == ::diopter::Device::cuda ? ::diopter::cuda::f(given...) : ::diopter::cpu::f(given...); \
      },                                                                                                       \
      device __VA_OPT__(, ) __VA_ARGS__)
inline void require_device(Device) {}
#else
#define DIOPTER_DISPATCH(device, f, ...)                                  \
  ::diopter::profiled(                                                    \
      #f, [](auto&&... given) { return ::diopter::floors::f(given...); }, \
      [](::diopter::Device chosen, auto&&... given) {                     \
        ::diopter::require_device(chosen);                                \
        return ::diopter::cpu::f(given...);                               \
      },                                                                  \
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

/// Calls f with a value of the floating-point type that `dtype` names: float or bf16.
template <class F>
auto with_dtype(DType dtype, F&& f) {
  DIOPTER_CHECK(dtype == DType::f32 || dtype == DType::bf16, "no arithmetic on ", name_of(dtype), " tensors");
  return dtype == DType::bf16 ? f(bf16{}) : f(float{});
}

}  // namespace diopter
