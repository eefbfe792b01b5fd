// Losses of other papers than the focal loss's: values by their formulas as printed, and how they are related.
#include <cmath>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/losses/asymmetric.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/poly.h"
#include "kernels/detection/losses/quality_focal.h"
#include "kernels/detection/losses/varifocal.h"
#include "tests/kernels/detection/logits.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

using test::for_logits;
using test::sigmoid;

TEST_CASE("poly: Poly-1 of the focal loss as printed") {
  for_logits(0.25, 0.01, [](double x, bool positive) {
    const double p = sigmoid(positive ? x : -x), a = positive ? 0.25 : 0.75;
    for (const float epsilon : {-1.0f, 0.5f, 2.0f}) {
      const double e = static_cast<double>(epsilon);
      const double expected = a * (-std::pow(1 - p, 2) * std::log(p) + e * std::pow(1 - p, 3));
      REQUIRE(PolyLoss{2, 0.25f, epsilon}(x, positive).value == Approx(expected).epsilon(1e-6).margin(1e-12));
    }
    const auto cross_entropy = PolyLoss{0, -1, 2}(x, positive).value;
    REQUIRE(cross_entropy == Approx(-std::log(p) + 2 * (1 - p)).epsilon(1e-9));
  });
}

TEST_CASE("poly: epsilon 0 is the focal loss") {
  for_logits(0.25, 0.01, [](double x, bool positive) {
    const auto poly = PolyLoss{1.5f, 0.25f, 0}(x, positive), focal = FocalLoss{1.5f, 0.25f}(x, positive);
    REQUIRE(poly.value == Approx(focal.value).epsilon(1e-14));
    REQUIRE(poly.derivative == Approx(focal.derivative).epsilon(1e-14));
  });
}

TEST_CASE("asymmetric: both halves as printed") {
  for_logits(0.25, 0.01, [](double x, bool positive) {
    const double p = sigmoid(x), m = static_cast<double>(0.05f), shifted = std::fmax(p - m, 0);
    const double expected = positive ? -(1 - p) * std::log(p) : -std::pow(shifted, 4) * std::log(1 - shifted);
    REQUIRE(AsymmetricLoss{1, 4, 0.05f}(x, positive).value == Approx(expected).epsilon(1e-6).margin(1e-12));
  });
}

TEST_CASE("asymmetric: negatives up to the shift count nothing, those above it do") {
  for (const double p : {1e-9, 0.01, 0.04999}) {
    const auto l = AsymmetricLoss{}(std::log(p / (1 - p)), false);
    CHECK(l.value == 0);
    CHECK(l.derivative == 0);
  }
  const auto above = AsymmetricLoss{}(std::log(0.0501 / 0.9499), false);
  CHECK(above.value > 0);
  CHECK(above.derivative > 0);
}

TEST_CASE("asymmetric: without a shift and with equal exponents it is the focal loss without alpha") {
  for_logits(0.25, 0.01, [](double x, bool positive) {
    const auto asymmetric = AsymmetricLoss{2, 2, 0}(x, positive), focal = FocalLoss{2, -1}(x, positive);
    REQUIRE(asymmetric.value == focal.value);
    REQUIRE(asymmetric.derivative == focal.derivative);
  });
}

TEST_CASE("quality_focal: equation 2 as printed") {
  for_logits(0.25, 0.01, [](double x, bool) {
    const double s = sigmoid(x);
    for (const double y : {0.0, 0.3, 0.75, 1.0}) {
      const double expected = -std::pow(std::fabs(y - s), 2) * ((1 - y) * std::log(1 - s) + y * std::log(s));
      REQUIRE(QualityFocalLoss{2}.with_quality(x, y).value == Approx(expected).epsilon(1e-9).margin(1e-12));
    }
  });
}

TEST_CASE("varifocal: equation 2 as printed") {
  for_logits(0.25, 0.01, [](double x, bool) {
    const double p = sigmoid(x);
    for (const double q : {0.3, 0.75, 1.0}) {
      const double expected = -q * (q * std::log(p) + (1 - q) * std::log(1 - p));
      REQUIRE(VarifocalLoss{2, 0.75f}.with_quality(x, q).value == Approx(expected).epsilon(1e-9).margin(1e-12));
    }
    const double negative = -0.75 * p * p * std::log(1 - p);
    REQUIRE(VarifocalLoss{2, 0.75f}(x, false).value == Approx(negative).epsilon(1e-9).margin(1e-12));
    REQUIRE(VarifocalLoss{2, 0.75f}.with_quality(x, 0.0).value == Approx(negative).epsilon(1e-9).margin(1e-12));
  });
}

}  // namespace
}  // namespace diopter
