// Numbers as 64-bit keys to sort by: the upper half decides, the lower half settles ties, and no two keys are equal.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/base/host_device.h"

namespace diopter {

/// Unsigned number that is the smaller, the larger x is; equal for 0 and -0. x is not NaN.
DIOPTER_HD inline std::uint32_t descending_bits(float x) {
  const float no_negative_zero = x + 0.0f;
  std::uint32_t bits;
  std::memcpy(&bits, &no_negative_zero, sizeof bits);
  return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

/// The number that descending_bits was given; 0 for -0.
DIOPTER_HD inline float from_descending_bits(std::uint32_t bits) {
  bits = bits >> 31 ? bits : ~bits & 0x7fffffffu;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

DIOPTER_HD inline std::uint64_t sort_key(std::uint32_t upper, std::uint32_t lower) {
  return std::uint64_t{upper} << 32 | lower;
}
DIOPTER_HD inline std::uint32_t upper_half(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32); }
DIOPTER_HD inline std::uint32_t lower_half(std::uint64_t key) { return static_cast<std::uint32_t>(key); }

}  // namespace diopter
