// bfloat16: the upper half of a float. Storage only; all arithmetic is done in float.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/base/host_device.h"

namespace diopter {

struct bf16 {
  std::uint16_t bits;

  bf16() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  DIOPTER_HD explicit bf16(float value) {
    std::uint32_t u;
    std::memcpy(&u, &value, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<std::uint16_t>((u >> 16) | 0x40u);
    } else {
      bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
  }
  DIOPTER_HD explicit operator float() const {
    const std::uint32_t u = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
};

}  // namespace diopter
