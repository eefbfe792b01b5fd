#include "kernels/detection/candidates/sort_key.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("sort keys: larger numbers have smaller bits, and come back from them") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> falling{kInfinity, 3e38f,   2.5f,  1e-38f, 1e-45f,    0,
                                   -1e-45f,   -1e-38f, -2.5f, -3e38f, -kInfinity};
  for (std::size_t i = 0; i < falling.size(); ++i) {
    INFO(falling[i]);
    CHECK(from_descending_bits(descending_bits(falling[i])) == falling[i]);
    if (i > 0) CHECK(descending_bits(falling[i - 1]) < descending_bits(falling[i]));
  }
  CHECK(descending_bits(-0.0f) == descending_bits(0.0f));
  CHECK_FALSE(std::signbit(from_descending_bits(descending_bits(-0.0f))));
}

TEST_CASE("sort keys: the upper half decides, the lower half settles ties") {
  CHECK(sort_key(1, 0xFFFFFFFFu) < sort_key(2, 0));
  CHECK(sort_key(2, 0) < sort_key(2, 1));
  CHECK(upper_half(sort_key(7, 9)) == 7);
  CHECK(lower_half(sort_key(7, 9)) == 9);
}
