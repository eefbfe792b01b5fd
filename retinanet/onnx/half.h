// IEEE 754 numbers of 16 bits, binary16: stored only, never computed with.
#pragma once

#include <cmath>
#include <cstdint>

namespace diopter::onnx_export {

class Half {
 public:
  /// Rounded to nearest, ties to even; from 65520 on infinity; NaN stays NaN.
  explicit Half(float x) {
    const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const float size = std::fabs(x);
    if (std::isnan(x)) {
      bits_ = kNan;
    } else if (size >= 65520.0f) {
      bits_ = kInfinity;
    } else if (size < 0x1p-14f) {  // subnormal: multiples of 2^-24; the 1024th is the first normal number
      bits_ = static_cast<std::uint16_t>(std::nearbyint(size * 0x1p24f));
    } else {
      int exponent;
      const int digits = static_cast<int>(std::nearbyint(std::frexp(size, &exponent) * 2048));  // 1024 .. 2048
      bits_ = static_cast<std::uint16_t>((exponent + 14) * 1024 + digits - 1024);               // 2048 carries over
    }
    bits_ |= sign;
  }
  explicit operator float() const {
    const int exponent = bits_ >> 10 & 31, digits = bits_ & 1023;
    const float size = exponent == 31  ? (digits ? NAN : INFINITY)
                       : exponent == 0 ? std::ldexp(static_cast<float>(digits), -24)
                                       : std::ldexp(static_cast<float>(digits + 1024), exponent - 25);
    return bits_ & 0x8000 ? -size : size;
  }
  std::uint16_t bits() const { return bits_; }

 private:
  static constexpr std::uint16_t kInfinity = 0x7c00, kNan = 0x7e00;
  std::uint16_t bits_;
};
static_assert(sizeof(Half) == 2);

}  // namespace diopter::onnx_export
