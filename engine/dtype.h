// Types of a tensor's elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/check.h"

namespace diopter {

enum class DType : std::uint8_t { f32, bf16, i32, u8 };

std::size_t size_of(DType dtype);
const char* name_of(DType dtype);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};

/// Calls f with a value of the floating-point type that `dtype` names: float or bf16.
template <class F>
auto with_dtype(DType dtype, F&& f) {
  DIOPTER_CHECK(dtype == DType::f32 || dtype == DType::bf16, "no arithmetic on ", name_of(dtype), " tensors");
  return dtype == DType::bf16 ? f(bf16{}) : f(float{});
}

}  // namespace diopter
