// Curves of losses against values worked out by hand or with other tools.
#include "retinanet/laboratory/loss_curves.h"

#include <cmath>

#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/focal_star.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

double value_at(const LossCurves& curves, std::size_t loss, double x) {
  for (std::size_t i = 0; i < curves.x.size(); ++i) {
    if (std::fabs(curves.x[i] - x) < 1e-9) return curves.y[loss][i];
  }
  FAIL("no point at " << x);
  return 0;
}

bool near(double a, double b, double relative) { return std::fabs(a - b) <= relative * std::fabs(b); }

}  // namespace

TEST_CASE("loss curves: focal loss over p_t is -(1 - p_t)^gamma log p_t") {
  const LossCurves curves =
      value_over_probability({FocalLoss{0, 1}, FocalLoss{0.5f, 1}, FocalLoss{2, 1}, FocalLoss{5, 1}}, true);
  const double gammas[] = {0, 0.5, 2, 5};
  REQUIRE(curves.y.size() == 4);
  CHECK(curves.x.front() > 0);
  CHECK(curves.x.back() < 1);
  for (std::size_t l = 0; l < 4; ++l) {
    REQUIRE(curves.y[l].size() == curves.x.size());
    for (std::size_t i = 0; i < curves.x.size(); ++i) {
      const double p = curves.x[i];
      CHECK(near(curves.y[l][i], -std::pow(1 - p, gammas[l]) * std::log(p), 1e-9));
    }
  }
  // Section 3.2: 100 times lower at p_t = 0.9, some 1000 times at 0.968, at most 4 times up to 0.5.
  const auto ratio = [&](double p) { return value_at(curves, 0, p) / value_at(curves, 2, p); };
  CHECK(near(ratio(0.9), 100, 1e-9));
  CHECK(near(ratio(0.968), 976.5625, 1e-9));
  CHECK(ratio(0.5) <= 4 + 1e-9);
}

TEST_CASE("loss curves: values and derivatives over x_t of the paper's four losses") {
  const std::vector<AnyLoss> losses = {CeLoss{}, FocalLoss{2, 1}, FocalStarLoss{2, 1, 1}, FocalStarLoss{4, 0, 1}};
  const LossCurves values = value_over_logit(losses, true), derivatives = derivative_over_logit(losses, true);
  CHECK(values.x.front() == -6);
  CHECK(values.x.back() == 6);
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto minus_log_sigmoid = [](double x) { return std::log1p(std::exp(-x)); };
  for (std::size_t i = 0; i < values.x.size(); ++i) {
    const double x = values.x[i], p = sigmoid(x);
    CHECK(near(values.y[0][i], minus_log_sigmoid(x), 1e-9));
    CHECK(near(values.y[2][i], minus_log_sigmoid(2 * x + 1) / 2, 1e-9));  // equation 8
    CHECK(near(values.y[3][i], minus_log_sigmoid(4 * x) / 4, 1e-9));
    CHECK(near(derivatives.y[0][i], p - 1, 1e-9));  // equations 9, 10 and 11 with y = 1
    CHECK(near(derivatives.y[1][i], (1 - p) * (1 - p) * (2 * p * std::log(p) + p - 1), 1e-8));
    CHECK(near(derivatives.y[2][i], sigmoid(2 * x + 1) - 1, 1e-9));
  }
}

TEST_CASE("loss curves: negatives are drawn against the logit of the truth, too") {
  const LossCurves values = value_over_logit({FocalLoss{2, 0.25f}}, false);
  const LossCurves derivatives = derivative_over_logit({FocalLoss{2, 0.25f}}, false);
  CHECK(near(value_at(values, 0, -2), 1.2375586, 1e-7));        // x = 2, t = 0
  CHECK(near(value_at(derivatives, 0, -2), -0.8075353, 1e-6));  // dL/dx_t = -dL/dx
  const LossCurves positives = value_over_logit({FocalLoss{2, 0.25f}}, true);
  CHECK(near(value_at(positives, 0, -2), 0.4125195, 1e-6));
  CHECK(near(value_at(positives, 0, 0.3), 0.0250983, 1e-5));
}
