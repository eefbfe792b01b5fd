#include "retinanet/training/training_curve.h"

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("training curve: a short one is kept as it is") {
  TrainingCurve curve;
  CHECK(curve.points().empty());
  CHECK_FALSE(curve.last());
  CHECK_FALSE(curve.highest());
  Points points;
  for (std::size_t i = 0; i < TrainingCurve::kMostPoints; ++i) {
    points.push_back({static_cast<double>(i), i == 3 ? 9.0 : -1.0});
    curve.add(points.back()[0], points.back()[1]);
  }
  CHECK(curve.points() == points);
  CHECK(curve.neighbours() == 1);
  CHECK(curve.last() == -1);
  CHECK(curve.highest() == 9);
  curve.add(250, 7);
  CHECK(curve.points().size() == 126);
  CHECK(curve.points()[0] == std::array<double, 2>{0.5, -1});
  CHECK(curve.points()[1] == std::array<double, 2>{2.5, 4});
  CHECK(curve.points().back() == std::array<double, 2>{250, 7});
  CHECK(curve.neighbours() == 2);
}

TEST_CASE("training curve: a long one has means of neighbours, all of as many but the last") {
  TrainingCurve curve;
  constexpr int kAdded = 1000001;
  for (int i = 0; i < kAdded; ++i) curve.add(i, i % 2 ? 3.0 : 1.0);
  const Points points = curve.points();
  CHECK(points.size() <= TrainingCurve::kMostPoints);
  CHECK(points.size() > TrainingCurve::kMostPoints / 2);
  const double each = static_cast<double>(curve.neighbours());
  CHECK(each == 4096);
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    CHECK(points[i] == std::array<double, 2>{(static_cast<double>(i) + 0.5) * each - 0.5, 2});
  }
  CHECK(points.back()[0] > points[points.size() - 2][0]);
  CHECK(points.back()[0] <= kAdded);
  CHECK(curve.last() == 1);
}
