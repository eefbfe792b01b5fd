// The losses of the paper beside the focal loss: values, and how they are related.
#include <cmath>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/losses/balanced_ce.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/focal_star.h"
#include "kernels/detection/losses/hinge.h"
#include "tests/kernels/detection/logits.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

using test::for_logits;
using test::sigmoid;

/// Probability of the truth.
double p_t(double x, bool positive) { return sigmoid(positive ? x : -x); }

template <class T>
void require_equal(const ValueAndDerivative<T>& a, const ValueAndDerivative<T>& b) {
  REQUIRE(a.value == b.value);
  REQUIRE(a.derivative == b.derivative);
}

TEST_CASE("ce: equations 1 and 9") {
  for_logits(0.5, 0, [](double x, bool positive) {
    const auto l = CeLoss{}(x, positive);
    REQUIRE(l.value == Approx(-std::log(p_t(x, positive))).epsilon(1e-12).margin(1e-12));
    REQUIRE(l.derivative == Approx((positive ? 1 : -1) * (p_t(x, positive) - 1)).epsilon(1e-12).margin(1e-15));
  });
  CHECK(CeLoss{}(0.0, true).value == Approx(std::log(2.0)).epsilon(1e-15));
}

TEST_CASE("ce: is the focal loss at gamma 0, bit for bit") {
  for_logits(0.5, 0, [](double x, bool positive) {
    require_equal(CeLoss{}(x, positive), FocalLoss{0, -1}(x, positive));
    const float f = static_cast<float>(x);
    require_equal(CeLoss{}(f, positive), FocalLoss{0, -1}(f, positive));
    for (const float alpha : {0.25f, 0.75f}) {
      const auto balanced = BalancedCeLoss{alpha}(x, positive), focal = FocalLoss{0, alpha}(x, positive);
      REQUIRE(balanced.value == Approx(focal.value).epsilon(1e-15));
      REQUIRE(balanced.derivative == Approx(focal.derivative).epsilon(1e-15));
    }
  });
}

TEST_CASE("balanced_ce: equation 3") {
  for_logits(0.5, 0, [](double x, bool positive) {
    const auto entropy = CeLoss{}(x, positive), l = BalancedCeLoss{0.75f}(x, positive);
    REQUIRE(l.value == (positive ? 0.75 : 0.25) * entropy.value);
    REQUIRE(l.derivative == Approx((positive ? 0.75 : 0.25) * entropy.derivative).epsilon(1e-15));
    REQUIRE(BalancedCeLoss{1}(x, false).value == 0);
  });
  // Table 1a's alpha of .5 halves cross-entropy.
  CHECK(BalancedCeLoss{0.5f}(0.0, false).value == Approx(0.5 * std::log(2.0)).epsilon(1e-15));
}

TEST_CASE("focal_star: equations 8 and 11") {
  for (const FocalStarLoss loss :
       {FocalStarLoss{2, 1, 0.25f}, FocalStarLoss{4, 0, 0.25f}, FocalStarLoss{0.5f, -3, 0.9f}}) {
    for_logits(0.5, 0, [&](double x, bool positive) {
      const double y = positive ? 1 : -1, p = sigmoid(loss.gamma * y * x + loss.beta);
      const double alpha = static_cast<double>(loss.alpha), a = positive ? alpha : 1 - alpha;
      const auto l = loss(x, positive);
      REQUIRE(l.value == Approx(-a * std::log(p) / loss.gamma).epsilon(1e-9).margin(1e-12));
      REQUIRE(l.derivative == Approx(a * y * (p - 1)).epsilon(1e-9).margin(1e-12));
    });
  }
}

TEST_CASE("focal_star: convex, and balanced cross-entropy at gamma 1 and beta 0") {
  for (const float gamma : {0.1f, 1.0f, 2.0f, 4.0f, 10.0f}) {
    for (const float beta : {-2.0f, 0.0f, 1.0f}) {
      for (const bool positive : {false, true}) {
        const FocalStarLoss loss{gamma, beta, 0.25f};
        for (int i = -200; i < 200; ++i) {
          REQUIRE(loss(i * 0.1 + 0.1, positive).derivative >= loss(i * 0.1, positive).derivative);
        }
      }
    }
  }
  for_logits(0.5, 0, [](double x, bool positive) {
    require_equal(FocalStarLoss{1, 0, 0.25f}(x, positive), BalancedCeLoss{0.25f}(x, positive));
  });
}

// Where a positive is classified well, both shapes are far below cross-entropy (figure 5); FL, unlike FL*, is not
// convex.
TEST_CASE("focal_star: figure 5 at x_t = 2, and what the focal loss is not") {
  const double entropy = CeLoss{}(2.0, true).value;
  CHECK(entropy == Approx(0.126928).epsilon(1e-5));
  CHECK(FocalLoss{2, -1}(2.0, true).value == Approx(0.00180356).epsilon(1e-5));
  CHECK(2 * FocalStarLoss{2, 1, 0.5f}(2.0, true).value == Approx(0.00335767).epsilon(1e-5));
  CHECK(2 * FocalStarLoss{4, 0, 0.5f}(2.0, true).value == Approx(0.0000838516).epsilon(1e-5));
  bool convex = true;
  for (int i = -100; i < 100; ++i) {
    convex = convex && FocalLoss{2, -1}(i * 0.1 + 0.1, true).derivative >= FocalLoss{2, -1}(i * 0.1, true).derivative;
  }
  CHECK_FALSE(convex);
}

TEST_CASE("hinge: margin - p_t, 0 beyond the margin") {
  for (const float margin : {0.5f, 0.9f, 1.0f}) {
    for_logits(0.5, 0, [&](double x, bool positive) {
      const double p = p_t(x, positive), y = positive ? 1 : -1;
      if (std::fabs(p - static_cast<double>(margin)) < 1e-9) return;
      const bool inside = p < static_cast<double>(margin);
      const auto l = HingeLoss{margin}(x, positive);
      REQUIRE(l.value == Approx(inside ? static_cast<double>(margin) - p : 0).margin(1e-12));
      REQUIRE(l.derivative == Approx(inside ? -y * p * (1 - p) : 0).epsilon(1e-9).margin(1e-15));
    });
  }
  CHECK(HingeLoss{0.5f}(3.0, true).derivative == 0);
  CHECK(HingeLoss{0.5f}(-3.0, true).value == Approx(0.5 - sigmoid(-3)).epsilon(1e-12));
}

}  // namespace
}  // namespace diopter
