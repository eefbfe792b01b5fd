// What must hold for every loss of the build's list, whoever wrote it: nothing here names one.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/detection/loss_list.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

std::string described(const AnyLoss& loss) {
  std::string text = loss_name(loss);
  for_each_parameter(loss, [&](const auto& p, float value) {
    text += std::string(" ") + p.name + " " + std::to_string(value);
  });
  return text;
}

/// Sets parameter `which` to the value that choose(parameter, default) gives; false where there are not so many.
template <class Choose>
bool set_parameter(AnyLoss& loss, int which, const Choose& choose) {
  bool found = false;
  for_each_parameter(loss, [&](const auto& p, float& value) {
    if (which-- != 0) return;
    value = choose(p, value);
    if (p.whole) value = std::round(value);
    found = true;
  });
  return found;
}

/// Every loss with its default parameters, and with each of them at the ends of its range and halfway there.
std::vector<AnyLoss> variations() {
  std::vector<AnyLoss> result;
  for (const AnyLoss& loss : all_losses()) {
    result.push_back(loss);
    const auto add = [&](int which, const auto& choose) {
      AnyLoss other = loss;
      if (!set_parameter(other, which, choose)) return false;
      result.push_back(other);
      return true;
    };
    for (int i = 0; add(i, [](const auto& p, float) { return p.lowest; }); ++i) {
      add(i, [](const auto& p, float) { return p.highest; });
      add(i, [](const auto& p, float value) { return (p.lowest + value) / 2; });
      add(i, [](const auto& p, float value) { return (p.highest + value) / 2; });
    }
  }
  return result;
}

/// Calls check(loss, positive) for every variation, as it is and in its fastest form.
template <class Check>
void for_every_form(const Check& check) {
  for (const AnyLoss& loss : variations()) {
    for (const bool positive : {false, true}) {
      INFO(described(loss) << (positive ? ", positive" : ", negative"));
      std::visit([&](const auto& l) {
        check(l, positive);
        with_fast_version(l, [&](const auto& fast) { check(fast, positive); });
      }, loss);
    }
  }
}

TEST_CASE("losses: derivatives against central differences in double") {
  for_every_form([](const auto& loss, bool positive) {
    int kinks = 0;
    for (int i = -160; i <= 160; ++i) {
      const double x = i * 0.25 + 0.0137;  // where no formula has a kink by intention
      const auto value = [&](double v) { return loss(v, positive).value; };
      const double measured = test::derivative(value, x, 0.005), finer = test::derivative(value, x, 0.0025);
      if (std::fabs(measured - finer) > 1e-6 * std::fmax(1.0, std::fabs(measured))) {
        ++kinks;  // the differences do not settle: there is none
        continue;
      }
      const double exact = loss(x, positive).derivative;
      INFO("x " << x << ": " << exact << " instead of " << measured);
      REQUIRE(std::fabs(exact - measured) < 1e-8 * std::fmax(1e-3, std::fabs(exact)));
    }
    REQUIRE(kinks <= 3);
  });
}

TEST_CASE("losses: finite for logits up to 1e4, and NaN stays NaN so that a broken model is noticed") {
  const auto check = [](const auto& loss, bool positive, auto zero) {
    using T = decltype(zero);
    for (const T size : {T(0), T(1e-6), T(1), T(17), T(20), T(88), T(89), T(104), T(710), T(1000), T(1e4)}) {
      for (const T x : {size, -size}) {
        const ValueAndDerivative<T> l = loss(x, positive);
        INFO("x " << x);
        REQUIRE(std::isfinite(l.value));
        REQUIRE(std::isfinite(l.derivative));
      }
    }
    REQUIRE(std::isnan(loss(T(NAN), positive).value));
    REQUIRE(std::isnan(loss(T(NAN), positive).derivative));
  };
  for_every_form([&](const auto& loss, bool positive) {
    check(loss, positive, 0.0f);
    check(loss, positive, 0.0);
  });
}

TEST_CASE("losses: float follows double") {
  for_every_form([](const auto& loss, bool positive) {
    int jumps = 0;
    for (int i = -300; i <= 300; ++i) {
      const float x = static_cast<float>(i) * 0.05f + 0.0137f;
      const auto f = loss(x, positive);
      const auto d = loss(static_cast<double>(x), positive);
      const auto close = [](float a, double b) { return std::fabs(a - b) <= 2e-5 * std::fmax(0.1, std::fabs(b)); };
      INFO("x " << x << ": " << f.value << ' ' << f.derivative << " instead of " << d.value << ' ' << d.derivative);
      REQUIRE(close(f.value, d.value));
      jumps += !close(f.derivative, d.derivative);  // one side of a kink or the other
    }
    REQUIRE(jumps <= 1);
  });
}

TEST_CASE("losses: the less likely the truth, the higher the loss") {
  for_every_form([](const auto& loss, bool positive) {
    for (int i = -160; i < 160; ++i) {
      const double wrong = i * 0.25, worse = wrong + 0.25;
      const double rise = loss(positive ? -worse : worse, positive).value - loss(positive ? -wrong : wrong, positive).value;
      REQUIRE(rise >= -1e-12);  // rounding
    }
  });
}

TEST_CASE("losses: parameters have names of their own, and defaults within their ranges") {
  for (const AnyLoss& loss : all_losses()) {
    std::vector<std::string> names;
    for_each_parameter(loss, [&](const auto& p, float value) {
      INFO(described(loss));
      CHECK(p.lowest <= value);
      CHECK(value <= p.highest);
      CHECK(std::string(p.meaning) != "");
      CHECK(std::count(names.begin(), names.end(), p.name) == 0);
      names.push_back(p.name);
    });
    CHECK(std::string(loss_source(loss)) != "");
  }
}

}  // namespace
}  // namespace diopter
