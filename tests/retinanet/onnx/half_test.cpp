#include "retinanet/onnx/half.h"

#include "tests/support/catch.h"

using diopter::onnx_export::Half;

TEST_CASE("half: every number of 16 bits stays itself, values between two go to the nearer, ties to the even one") {
  for (int sign = 0; sign < 2; ++sign) {
    float before = sign ? -0.0f : 0.0f;
    for (int bits = 1; bits < 0x7c00; ++bits) {
      const int exponent = bits >> 10, digits = bits & 1023;
      const float size =
          exponent == 0 ? std::ldexp(float(digits), -24) : std::ldexp(float(digits + 1024), exponent - 25);
      const float x = sign ? -size : size, middle = (x + before) / 2;
      const int all = sign << 15 | bits, even = bits % 2 == 0 ? all : all - 1;
      const bool right = Half(x).bits() == all && float(Half(x)) == x && Half(middle).bits() == even &&
                         Half(std::nextafter(middle, x)).bits() == all &&
                         Half(std::nextafter(middle, before)).bits() == all - 1;
      if (!right) FAIL("bits " << all);
      before = x;
    }
  }
}

TEST_CASE("half: beyond the largest number lies infinity, and NaN stays NaN") {
  CHECK(Half(65504.0f).bits() == 0x7bff);
  CHECK(Half(65519.99f).bits() == 0x7bff);
  CHECK(Half(65520.0f).bits() == 0x7c00);
  CHECK(Half(-INFINITY).bits() == 0xfc00);
  CHECK(std::isinf(float(Half(1e9f))));
  CHECK(std::isnan(float(Half(NAN))));
}
