#include "kernels/detection/logistic.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

namespace diopter {
namespace {

/// Relative error below 4e-7: three units in the last place of float.
bool near(float actual, double expected) { return std::fabs(actual - expected) <= 4e-7 * std::fabs(expected); }

TEST_CASE("logistic: the exponential series in float") {
  for (int i = 0; i <= 870000; ++i) {
    const float x = static_cast<float>(-i) * 1e-4f;
    if (!near(exp_negative(x), std::exp(double{x}))) FAIL("exp_negative(" << x << ") = " << exp_negative(x));
  }
  CHECK(exp_negative(0.0f) == 1);
  CHECK(exp_negative(-0.0f) == 1);
  for (float x : {-87.01f, -1e3f, -1e9f, -std::numeric_limits<float>::max(), -INFINITY}) CHECK(exp_negative(x) == 0);
  CHECK(std::isnan(exp_negative(NAN)));
}

TEST_CASE("logistic: the logarithm series in float") {
  for (int i = 0; i <= 100000; ++i) {
    const float e = static_cast<float>(i) * 1e-5f;
    if (!near(log1p_unit(e), std::log1p(double{e}))) FAIL("log1p_unit(" << e << ") = " << log1p_unit(e));
  }
  for (float e : {1e-38f, 1e-20f, 1e-8f}) CHECK(near(log1p_unit(e), e));
}

TEST_CASE("logistic: float and double against the plain formulas") {
  for (int i = -3000; i <= 3000; ++i) {
    const double z = i * 0.01;
    const Logistic<double> d = logistic(z);
    REQUIRE(d.sigmoid == Approx(1 / (1 + std::exp(-z))).epsilon(1e-14));
    REQUIRE(d.softplus == Approx(std::log1p(std::exp(z))).epsilon(1e-14));
    REQUIRE(d.log_sigmoid == Approx(-std::log1p(std::exp(-z))).epsilon(1e-14));
    const float x = static_cast<float>(z);
    const Logistic<float> f = logistic(x);
    const Logistic<double> exact = logistic(double{x});
    REQUIRE(near(f.sigmoid, exact.sigmoid));
    REQUIRE(near(f.softplus, exact.softplus));
    REQUIRE(near(f.log_sigmoid, exact.log_sigmoid));
  }
}

TEST_CASE("logistic: the whole range of float") {
  // Every exponent, some significands each, both signs: subnormal numbers, what overflows exp, the largest.
  for (int exponent = -149; exponent <= 127; ++exponent) {
    for (int i = 0; i < 256; ++i) {
      const float size = std::ldexp(1 + static_cast<float>(i) / 256, exponent);
      for (const float z : {size, -size}) {
        const Logistic<float> f = logistic(z);
        const Logistic<double> exact = logistic(double{z});
        INFO("z = " << z);
        // Below exp(-87) = 1.6e-38 results become 0.
        if (!near(f.sigmoid, exact.sigmoid)) REQUIRE((f.sigmoid == 0 && exact.sigmoid < 1.7e-38));
        if (!near(f.softplus, exact.softplus)) REQUIRE((f.softplus == 0 && exact.softplus < 1.7e-38));
        if (!near(f.log_sigmoid, exact.log_sigmoid)) REQUIRE((f.log_sigmoid == 0 && exact.log_sigmoid > -1.7e-38));
      }
    }
  }
}

TEST_CASE("logistic: infinities and NaN") {
  const Logistic<float> high = logistic(INFINITY), low = logistic(-INFINITY), nan = logistic(NAN);
  CHECK(high.sigmoid == 1);
  CHECK(high.log_sigmoid == 0);
  CHECK(high.softplus == INFINITY);
  CHECK(low.sigmoid == 0);
  CHECK(low.log_sigmoid == -INFINITY);
  CHECK(low.softplus == 0);
  CHECK(std::isnan(nan.sigmoid));
  CHECK(std::isnan(nan.log_sigmoid));
  CHECK(std::isnan(nan.softplus));
}

}  // namespace
}  // namespace diopter
