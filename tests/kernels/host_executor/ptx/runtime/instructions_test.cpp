#include "kernels/host_executor/ptx/runtime/instructions.h"

#include "kernels/base/bf16.h"
#include "kernels/base/philox.h"
#include "tests/support/catch.h"

namespace diopter::test {

using namespace host_executor::ptx;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

/// Floats of every sign and exponent, ties of bf16 among them.
template <class Body>
void for_floats(Body body) {
  for (u32 high = 0; high < 0x10000; ++high) {
    for (const u32 low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) body(as<float>(high << 16 | low));
  }
}

}  // namespace

TEST_CASE("ptx: rounding to bf16") {
  for_floats([](float x) {
    if (std::isnan(x)) {
      REQUIRE(nearest_bf16(x) == 0x7fff);
      REQUIRE(truncated_bf16(x) == 0x7fff);
    } else {
      REQUIRE(nearest_bf16(x) == bf16(x).bits);
      REQUIRE(std::fabs(float(as<float>(u32{truncated_bf16(x)} << 16))) <= std::fabs(x));
    }
  });
  CHECK(truncated_bf16(-1.999f) == 0xbfff);
}

TEST_CASE("ptx: floats that are flushed, saturated, least and greatest") {
  CHECK(flushed(1e-40f) == 0.0f);
  CHECK(std::signbit(flushed(-1e-40f)));
  CHECK(flushed(1.17549435e-38f) == 1.17549435e-38f);
  CHECK(std::isnan(flushed(kNan)));
  CHECK(saturated(2.0f) == 1.0f);
  CHECK(saturated(0.25f) == 0.25f);
  CHECK(saturated(-1.0f) == 0.0f);
  CHECK(saturated(kNan) == 0.0f);
  CHECK(minimum(kNan, 1.0f) == 1.0f);
  CHECK(minimum(1.0f, kNan) == 1.0f);
  CHECK(minimum(2.0f, 1.0f) == 1.0f);
  CHECK(std::signbit(minimum(0.0f, -0.0f)));
  CHECK(std::signbit(minimum(-0.0f, 0.0f)));
  CHECK(maximum(kNan, 1.0f) == 1.0f);
  CHECK(maximum(1.0f, kNan) == 1.0f);
  CHECK(maximum(2.0f, 1.0f) == 2.0f);
  CHECK(!std::signbit(maximum(-0.0f, 0.0f)));
  CHECK(!std::signbit(maximum(0.0f, -0.0f)));
  CHECK(std::isnan(maximum(kNan, kNan)));
}

TEST_CASE("ptx: directed rounding") {
  const auto sum = [](float a, float b) { return a + b; };
  const float above = std::nextafter(1.0f, 2.0f), below = std::nextafter(1.0f, 0.0f);
  CHECK(rounded(FE_UPWARD, sum, 1.0f, 1e-20f) == above);
  CHECK(rounded(FE_DOWNWARD, sum, 1.0f, 1e-20f) == 1.0f);
  CHECK(rounded(FE_DOWNWARD, sum, 1.0f, -1e-20f) == below);
  CHECK(rounded(FE_TOWARDZERO, sum, -1.0f, 1e-20f) == -below);
  CHECK(1.0f + 1e-20f == 1.0f);  // to nearest again
}

TEST_CASE("ptx: floats become integers") {
  CHECK(to_integer<s32>(-3.0f) == -3);
  CHECK(to_integer<s32>(3e9f) == std::numeric_limits<s32>::max());
  CHECK(to_integer<s32>(-3e9f) == std::numeric_limits<s32>::min());
  CHECK(to_integer<s32>(kNan) == 0);
  CHECK(to_integer<u32>(-1.0f) == 0);
  CHECK(to_integer<u32>(4294967040.0f) == 4294967040u);
  CHECK(to_integer<u32>(kInfinity) == ~0u);
  CHECK(to_integer<s64>(-kInfinity) == std::numeric_limits<s64>::min());
  CHECK(to_integer<u64>(1e30) == ~u64{0});
}

TEST_CASE("ptx: bits of integers") {
  CHECK(shifted_left(1u, 31) == 0x80000000u);
  CHECK(shifted_left(1u, 32) == 0);
  CHECK(shifted_right(s32{-8}, 2) == -2);
  CHECK(shifted_right(s32{-8}, 40) == -1);
  CHECK(shifted_right(8u, 32) == 0);
  CHECK(funnel_left(0x80000001u, 0x40000000u, 1) == 0x80000001u);
  CHECK(funnel_left(5, 7, 32) == 5);
  CHECK(funnel_right(0x80000001u, 0x40000001u, 1) == 0xc0000000u);
  CHECK(funnel_right(5, 7, 32) == 7);
  CHECK(high_product(0x80000000u, 6u) == 3);
  CHECK(high_product(s32{-1}, s32{1}) == -1);
  CHECK(high_product(~u64{0}, ~u64{0}) == ~u64{1});
  CHECK(quotient(s32{-7}, s32{2}) == -3);
  CHECK(quotient(std::numeric_limits<s32>::min(), s32{-1}) == std::numeric_limits<s32>::min());
  CHECK(remainder(s32{-7}, s32{2}) == -1);
  CHECK(remainder(std::numeric_limits<s64>::min(), s64{-1}) == 0);
  CHECK(reversed(0x00000001u) == 0x80000000u);
  CHECK(reversed(u64{0xf}) == u64{0xf} << 60);
  CHECK(highest_bit(0x00010000u) == 16);
  CHECK(highest_bit(s32{-2}) == 0);
  CHECK(highest_bit(s32{-1}) == ~0u);
  CHECK(shift_of_highest_bit(0x00010000u) == 15);
  CHECK(shift_of_highest_bit(0u) == ~0u);
  CHECK(permuted(0x33221100u, 0x77665544u, 0x6420) == 0x66442200u);
  CHECK(permuted(0x00008000u, 0, 0x9998) == 0xffffff00u);
}

TEST_CASE("ptx: fields of bits, bit by bit") {
  Philox random(3, 0);
  for (int round = 0; round < 2000; ++round) {
    const u32 a = random.next(), b = random.next(), c = random.next();
    const u32 position = random.next() % 40, length = random.next() % 40;
    const u32 table = random.next() % 256;
    u32 inserted = b, extracted = 0, extracted_signed = 0, all = 0;
    for (u32 i = 0; i < 32; ++i) {
      if (i >= position && i < position + length) inserted = (inserted & ~(1u << i)) | (a >> (i - position) & 1) << i;
      const bool inside = i < length && position + i < 32;
      extracted |= (inside ? a >> (position + i) & 1 : 0u) << i;
      const u32 sign = length == 0 ? 0 : a >> std::min(position + length - 1, 31u) & 1;
      extracted_signed |= (inside ? a >> (position + i) & 1 : sign) << i;
      all |= (table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1)) & 1) << i;
    }
    INFO(a << ' ' << b << ' ' << position << ' ' << length);
    REQUIRE(bits_inserted(a, b, position, length) == inserted);
    REQUIRE(bits_extracted(a, position, length) == extracted);
    REQUIRE(static_cast<u32>(bits_extracted(static_cast<s32>(a), position, length)) == extracted_signed);
    REQUIRE(combined(a, b, c, table) == all);
  }
  CHECK(bits_inserted(u64{3}, u64{0}, 62, 8) == u64{3} << 62);
}

}  // namespace diopter::test
