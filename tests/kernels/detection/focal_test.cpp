#include "kernels/detection/losses/focal.h"

#include <cmath>

#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

constexpr float kGammas[] = {0, 0.25f, 0.5f, 1, 1.5f, 2, 5};

TEST_CASE("focal: derivative against central differences in double") {
  for (float gamma : kGammas) {
    for (float alpha : {-1.0f, 0.25f}) {
      for (bool positive : {false, true}) {
        const FocalLoss loss{gamma, alpha};
        for (int i = -160; i <= 160; ++i) {
          const double x = i * 0.25;
          const double exact = loss(x, positive).derivative;
          const double measured =
              test::derivative([&](double v) { return loss(v, positive).value; }, x, gamma < 5 ? 0.02 : 0.01);
          INFO("gamma " << gamma << " alpha " << alpha << " positive " << positive << " x " << x);
          REQUIRE(std::fabs(exact - measured) < 1e-8 * std::fmin(1.0, std::fabs(exact)));
        }
      }
    }
  }
}

// Computed from equations 5 and 10 of the paper.
TEST_CASE("focal: values at alpha 0.25, gamma 2") {
  const struct {
    double x;
    bool positive;
    double value, derivative;
  } cases[] = {{0.3, true, 0.0250983, -0.0481021},
               {2, false, 1.2375586, 0.8075353},
               {-2, true, 0.4125195, -0.2691784},
               {-4.6, false, 7.4291e-7, 2.21024e-6}};
  for (const auto& c : cases) {
    const auto d = FocalLoss{}(c.x, c.positive);
    CHECK(d.value == Approx(c.value).epsilon(2e-6));
    CHECK(d.derivative == Approx(c.derivative).epsilon(2e-6));
    const auto f = FocalLoss{}(static_cast<float>(c.x), c.positive);
    CHECK(f.value == Approx(c.value).epsilon(4e-6));
    CHECK(f.derivative == Approx(c.derivative).epsilon(4e-6));
  }
}

TEST_CASE("focal: alpha weighs at both of its ends, and below 0 does not") {
  for (const double x : {-3.0, 0.5, 4.0}) {
    CHECK(FocalLoss{2, 0}(x, true).value == 0);
    CHECK(FocalLoss{2, 0}(x, false).value == FocalLoss{2, -1}(x, false).value);
    CHECK(FocalLoss{2, 1}(x, true).value == FocalLoss{2, -1}(x, true).value);
    CHECK(FocalLoss{2, 1}(x, false).value == 0);
    CHECK(FocalLoss{2, -0.5f}(x, true).value == FocalLoss{2, -1}(x, true).value);
  }
}

TEST_CASE("focal: float follows double") {
  for (float gamma : kGammas) {
    for (bool positive : {false, true}) {
      for (int i = -300; i <= 300; ++i) {
        const float x = static_cast<float>(i) * 0.05f;
        const auto f = FocalLoss{gamma, 0.25f}(x, positive);
        const auto d = FocalLoss{gamma, 0.25f}(static_cast<double>(x), positive);
        INFO("gamma " << gamma << " positive " << positive << " x " << x);
        REQUIRE(std::fabs(f.value - d.value) <= 1e-5 * d.value);
        REQUIRE(std::fabs(f.derivative - d.derivative) <= 1e-5 * std::fabs(d.derivative));
      }
    }
  }
}

template <class T>
void require_binary_cross_entropy() {
  for (int i = -400; i <= 400; ++i) {
    const T x = T(i) * T(0.13);
    for (bool positive : {false, true}) {
      const Logistic<T> wrong = logistic(positive ? -x : x);
      const ValueAndDerivative<T> l = FocalLoss{0, -1}(x, positive);
      REQUIRE(l.value == wrong.softplus);
      REQUIRE(l.derivative == (positive ? -wrong.sigmoid : wrong.sigmoid));
    }
  }
}

TEST_CASE("focal: gamma 0 without alpha is binary cross-entropy, bit for bit") {
  require_binary_cross_entropy<float>();
  require_binary_cross_entropy<double>();
}

TEST_CASE("focal: how much gamma 2 lowers the loss of easy examples") {
  const auto ratio = [](double p) {
    const double x = std::log(p / (1 - p));
    return FocalLoss{0, -1}(x, true).value / FocalLoss{2, -1}(x, true).value;
  };
  CHECK(ratio(0.9) == Approx(100).epsilon(1e-9));
  CHECK(ratio(0.968) == Approx(1000).epsilon(0.03));
  for (double p : {0.01, 0.1, 0.3, 0.5}) CHECK(ratio(p) <= 4 + 1e-12);
}

TEST_CASE("focal: the loss grows with the logit of being wrong, also where p rounds to 1") {
  for (float gamma : kGammas) {
    float before = 0;
    for (int i = 0; i <= 500; ++i) {
      const float value = FocalLoss{gamma, 0.25f}(15 + static_cast<float>(i) * 0.01f, false).value;
      REQUIRE(value > before);
      before = value;
    }
    CHECK(before == Approx(0.75 * 20).epsilon(1e-6));
  }
}

// All probabilities 0.01: what the prior of the head's last bias yields before training.
TEST_CASE("focal: initial loss") {
  const double x = -std::log(0.99 / 0.01);
  CHECK(FocalLoss{}(x, false).value == Approx(7.53775e-7).epsilon(1e-6));
  CHECK(FocalLoss{}(x, true).value == Approx(1.128382).epsilon(1e-6));
  CHECK(201600.0 * 80 * FocalLoss{}(x, false).value == Approx(12.157).epsilon(1e-4));
  CHECK(201600.0 * 80 * FocalLoss{0, -1}(x, false).value == Approx(162092).epsilon(1e-5));
}

}  // namespace
}  // namespace diopter
