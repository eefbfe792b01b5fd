#include "data/shapes/quick_normals.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("quick normal numbers have the moments of the distribution and repeat from a seed") {
  QuickNormals normals(5, 1), again(5, 1), other(5, 2);
  constexpr int kCount = 200000;
  double sum = 0, squares = 0, fourth = 0, beyond = 0, neighbours = 0, before = 0;
  bool differs = false;
  for (int i = 0; i < kCount; ++i) {
    const float value = normals.next();
    REQUIRE(value == again.next());
    differs = differs || value != other.next();
    const double x = static_cast<double>(value);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    beyond += std::fabs(x) > 1.96;
    neighbours += x * before;
    before = x;
  }
  CHECK(differs);
  CHECK(sum / kCount == Approx(0).margin(0.01));
  CHECK(squares / kCount == Approx(1).margin(0.015));
  CHECK(fourth / kCount == Approx(3).margin(0.1));
  CHECK(beyond / kCount == Approx(0.05).margin(0.003));
  CHECK(neighbours / kCount == Approx(0).margin(0.01));
}
