// Division by the same number over and over: a multiplication and a shift (Granlund & Montgomery 1994, section 4).
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/base/host_device.h"

namespace diopter {

/// Divides numbers below 2^31 by a fixed divisor from 1 to 2^31 - 1; exact.
class Divider {
 public:
  Divider() = default;
  explicit Divider(std::uint32_t divisor)
      : divisor_(divisor), shift_(divisor == 1 ? 0 : 32 - std::countl_zero(divisor - 1)) {
    // 2^shift >= divisor makes the error of the rounded-up multiplier, less than 1 / 2^31 of it, too small to matter.
    const std::uint64_t power = std::uint64_t{1} << (31 + shift_);
    multiplier_ = static_cast<std::uint32_t>((power + divisor - 1) / divisor);
  }

  DIOPTER_HD std::uint32_t quotient(std::uint32_t n) const {
    return static_cast<std::uint32_t>(std::uint64_t{n + n} * multiplier_ >> 32) >> shift_;
  }
  DIOPTER_HD std::uint32_t divisor() const { return divisor_; }

 private:
  std::uint32_t divisor_ = 1, multiplier_ = 1u << 31;
  int shift_ = 0;
};

}  // namespace diopter
