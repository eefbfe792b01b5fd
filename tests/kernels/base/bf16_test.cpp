#include "kernels/base/bf16.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

namespace diopter {
namespace {

float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

TEST_CASE("bf16: every one of the 65536 patterns survives the way through float") {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = from_bits(bits << 16);
    const bf16 there(value);
    wrong += std::isnan(value) ? !std::isnan(float(there)) : there.bits != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16: rounds to nearest, ties to even") {
  CHECK(bf16(from_bits(0x3f808000)).bits == 0x3f80);  // tie, down to even
  CHECK(bf16(from_bits(0x3f818000)).bits == 0x3f82);  // tie, up to even
  CHECK(bf16(from_bits(0x3f808001)).bits == 0x3f81);  // just above a tie
  CHECK(bf16(from_bits(0x3f817fff)).bits == 0x3f81);  // just below a tie
  CHECK(bf16(from_bits(0xbf808001)).bits == 0xbf81);  // the sign changes nothing
  CHECK(bf16(from_bits(0x00008001)).bits == 0x0001);  // subnormal
}

TEST_CASE("bf16: overflow, infinity, NaN and signed zero") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(float(bf16(std::numeric_limits<float>::max())) == infinity);
  CHECK(float(bf16(-infinity)) == -infinity);
  CHECK(bf16(-0.0f).bits == 0x8000);
  // A NaN whose payload lies in the lower half only must not become an infinity.
  CHECK(std::isnan(float(bf16(from_bits(0x7f800001)))));
  CHECK(std::isnan(float(bf16(from_bits(0xffffffff)))));
}

}  // namespace
}  // namespace diopter
