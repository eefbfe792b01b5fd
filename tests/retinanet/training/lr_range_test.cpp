#include "retinanet/training/lr_range.h"

#include <cmath>

#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("smoothed losses are means with weights that fall by a tenth from step to step back") {
  std::vector<LrPoint> points = {{0.1, 4, 0}, {0.2, 2, 0}, {0.4, 1, 0}};
  smooth(points);
  CHECK(points[0].smoothed == Approx(4));
  CHECK(points[1].smoothed == Approx((2 + 0.9 * 4) / 1.9));
  CHECK(points[2].smoothed == Approx((1 + 0.9 * 2 + 0.81 * 4) / 2.71));
}

TEST_CASE("the proposal is half the rate with the least smoothed loss") {
  const std::vector<LrPoint> points = {{0.01, 0, 3}, {0.1, 0, 1}, {1, 0, 2}};
  CHECK(propose_lr(points) == Approx(0.05));
  CHECK(propose_lr({}) == 0);
}

TEST_CASE("a range test rises from the least rate to the most, and is the same each time") {
  const test::ShapesOnDisk shapes;
  const Config config = test::tiny_config({"train.clip_norm=0"});
  std::int64_t told = 0;
  const LrRange range = find_lr(config, shapes.train, Device::cpu, [&](std::int64_t done) { told = done; });
  REQUIRE(range.points.size() > 20);
  CHECK(told == std::ssize(range.points));
  CHECK(range.points[0].lr == Approx(kLeastLr));
  const double factor = std::pow(kMostLr / kLeastLr, 1.0 / static_cast<double>(kLrSteps - 1));
  for (std::size_t i = 1; i < range.points.size(); ++i) {
    CHECK(range.points[i].lr == Approx(range.points[i - 1].lr * factor));
  }
  if (!range.diverged) {
    CHECK(std::ssize(range.points) == kLrSteps);
    CHECK(range.points.back().lr == Approx(kMostLr));
  }
  CHECK(range.proposal > kLeastLr);
  CHECK(range.proposal < kMostLr);
  const std::string csv = lr_range_csv(range);
  CHECK(csv.starts_with("lr,loss,smoothed\n"));
  CHECK(csv == lr_range_csv(find_lr(config, shapes.train, Device::cpu, {})));
}
