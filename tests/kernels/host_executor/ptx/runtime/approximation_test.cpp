#include "kernels/host_executor/ptx/runtime/approximation.h"

#include <cmath>
#include <limits>
#include <set>

#include "tests/support/catch.h"

namespace diopter::test {

using namespace host_executor::ptx;

TEST_CASE("ptx: approximate results are moved by units in the last place") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(moved(1.0f, 0) == 1.0f);
  CHECK(moved(1.0f, 2) == 1.0f + 2 * 0x1p-23f);
  CHECK(moved(1.0f, -2) == 1.0f - 2 * 0x1p-24f);
  CHECK(moved(-1.0f, 1) == -1.0f + 0x1p-24f);
  for (const float x : {0.0f, infinity, -infinity}) CHECK(moved(x, 2) == x);
  CHECK(std::isnan(moved(nan, 1)));
  std::set<int> seen, seen_with_another_seed;
  int different = 0;
  for (int i = 1; i < 1000; ++i) {
    const float x = 1.0f / static_cast<float>(i);
    seen.insert(random_ulps(x, 1));
    seen_with_another_seed.insert(random_ulps(x, 2));
    different += random_ulps(x, 1) != random_ulps(x, 2);
    REQUIRE(random_ulps(x, 1) == random_ulps(x, 1));
  }
  CHECK(seen == std::set<int>{-2, -1, 0, 1, 2});
  CHECK(seen_with_another_seed == seen);
  CHECK(different > 500);
}

}  // namespace diopter::test
