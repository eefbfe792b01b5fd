// From a tensor's device and type to the kernel: the only #ifdef of engine/.
#pragma once

#include "engine/tensor.h"

namespace diopter {

#ifdef DIOPTER_WITH_CUDA
#define DIOPTER_DISPATCH(device, f, ...) \
  ((device) == ::diopter::Device::cuda ? ::diopter::cuda::f(__VA_ARGS__) : ::diopter::cpu::f(__VA_ARGS__))
inline void require_device(Device) {}
#else
#define DIOPTER_DISPATCH(device, f, ...) (::diopter::require_device(device), ::diopter::cpu::f(__VA_ARGS__))
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
