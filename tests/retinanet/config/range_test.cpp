#include "retinanet/config/range.h"

#include "kernels/detection/any_loss.h"
#include "kernels/detection/losses/focal_star.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("a range knows which of its ends belong to it") {
  CHECK(between(0, 1).has(0));
  CHECK(between(0, 1).has(1));
  CHECK(!between(0, 1).has(-1e-9));
  CHECK(!between(0, 1).has(1 + 1e-9));
  CHECK(!above(0).has(0));
  CHECK(above(0).has(1e-300));
  CHECK(at_least(2).has(2));
  CHECK(!at_least(2).has(1));
  const Range below_one{.lowest = 0, .highest = 1, .with_highest = false};
  CHECK(below_one.has(0));
  CHECK(!below_one.has(1));
  CHECK(any_number().has(-1e300));
  const Range whole{.lowest = 1, .highest = 8, .whole = true};
  CHECK(whole.has(3));
  CHECK(!whole.has(3.5));
}

TEST_CASE("a range says what a number must do, and which numbers there are") {
  CHECK(between(0, 1).rule(2) == "must lie between 0 and 1");
  CHECK(between(0, 1).text() == "0 to 1");
  CHECK(above(0).rule(0) == "must be positive");
  CHECK(above(0).text() == "above 0");
  CHECK(at_least(0).rule(-1) == "must not be negative");
  CHECK(at_least(2).rule(1) == "must be at least 2");
  CHECK(at_least(2).text() == "at least 2");
  const Range below_one{.lowest = 0, .highest = 1, .with_highest = false};
  CHECK(below_one.rule(1) == "must lie in [0, 1)");
  CHECK(below_one.text() == "0 to below 1");
  CHECK(any_number().text().empty());
  const Range whole{.lowest = 1, .highest = 8, .whole = true};
  CHECK(whole.rule(3.5) == "must be a whole number");
  CHECK(whole.rule(9) == "must lie between 1 and 8");
}

TEST_CASE("a loss's parameter has its range in the digits that were written") {
  CHECK(widened(0.1f) == 0.1);
  CHECK(widened(2.5f) == 2.5);
  CHECK(widened(1e30f) == 1e30);
  const AnyLoss loss = loss_named("focal_star");
  for_each_parameter(loss, [](const auto& p, float) {
    CHECK(static_cast<float>(range_of(p).lowest) == p.lowest);
    CHECK(range_of(p).has(widened(p.lowest)));
    CHECK(range_of(p).has(widened(p.highest)));
  });
}
