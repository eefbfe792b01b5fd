#include "kernels/toolkit/divider.h"

#include "kernels/base/philox.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

constexpr std::uint32_t kLargest = 0x7fffffffu;

void require_exact(std::uint32_t divisor) {
  const Divider divider(divisor);
  INFO("divisor " << divisor);
  REQUIRE(divider.divisor() == divisor);
  for (std::uint32_t n : {0u, 1u, divisor - 1, divisor, kLargest - 1, kLargest}) {
    REQUIRE(divider.quotient(n) == n / divisor);
  }
  Philox random(divisor, 3);
  for (int i = 0; i < 20; ++i) {  // where a rounding error would show: on both sides of a multiple
    const std::uint32_t multiple = random.below(kLargest / divisor) * divisor;
    REQUIRE(divider.quotient(multiple) == multiple / divisor);
    if (multiple > 0) REQUIRE(divider.quotient(multiple - 1) == multiple / divisor - 1);
  }
  const std::uint32_t last = kLargest / divisor * divisor;
  REQUIRE(divider.quotient(last) == last / divisor);
  REQUIRE(divider.quotient(last - 1) == last / divisor - 1);
}

TEST_CASE("divider: equals division") {
  for (std::uint32_t divisor = 1; divisor < 2000; ++divisor) require_exact(divisor);
  for (int bit = 1; bit < 31; ++bit) {
    const std::uint32_t power = 1u << bit;
    for (std::uint32_t divisor : {power - 1, power, power + 1}) require_exact(divisor);
  }
  require_exact(kLargest - 1);
  require_exact(kLargest);
  CHECK(Divider().quotient(kLargest) == kLargest);
}

}  // namespace
}  // namespace diopter
