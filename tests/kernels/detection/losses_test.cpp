// Properties that every loss of the build's list must have, whoever wrote it: nothing here names one.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/detection/loss_variations.h"
#include "tests/kernels/detection/loss_versions.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

using test::described;
using test::versions_of;
using Version = test::LossVersion;
using Versions = test::LossVersions;

enum class Types { in_double, both };

/// Calls check(version, positive) for every variation, as it is and in its fast versions, of which the GPU's is another
/// in float only.
template <class Check>
void for_every_version(Types types, const Check& check) {
  for (const AnyLoss& loss : test::variations()) {
    const Versions versions = versions_of(loss);
    for (const bool positive : {false, true}) {
      INFO(described(loss) << (positive ? ", positive" : ", negative"));
      check(versions.general, positive);
      check(versions.fast, positive);
      if (types == Types::both) check(versions.gpu, positive);
    }
  }
}

TEST_CASE("losses: derivatives against central differences in double") {
  for_every_version(Types::in_double, [](const Version& loss, bool positive) {
    int kinks = 0;
    for (int i = -160; i <= 160; ++i) {
      const double x = i * 0.25 + 0.0137;  // where no formula has a kink by intention
      const auto value = [&](double v) { return loss.in_double(v, positive).value; };
      const double measured = test::derivative(value, x, 0.005), finer = test::derivative(value, x, 0.0025);
      if (std::fabs(measured - finer) > 1e-6 * std::fmax(1.0, std::fabs(measured))) {
        ++kinks;  // the differences do not settle: there is none
        continue;
      }
      const double exact = loss.in_double(x, positive).derivative;
      const bool close = std::fabs(exact - measured) < 1e-8 * std::fmax(1e-3, std::fabs(exact));
      if (!close) FAIL("x " << x << ": " << exact << " instead of " << measured);
    }
    REQUIRE(kinks <= 3);
  });
}

/// Logits of both signs, extreme ones included.
template <class T>
std::vector<T> logits() {
  std::vector<T> result;
  for (const double size : {0.0, 1e-6, 17.0, 20.0, 43.0, 88.0, 89.0, 104.0, 350.0, 710.0, 1000.0, 1e4}) {
    for (const double x : {size, -size}) result.push_back(T(x));
  }
  for (int i = -320; i <= 320; ++i) result.push_back(T(i * 0.125 + 0.0137));
  return result;
}

/// The first logit for which the two differ by more than the relative error allowed(x, positive), and by more than
/// `least`; or "".
template <class T, class Allowed>
std::string first_difference(const test::LossFunction<T>& fast, const test::LossFunction<T>& general, T least,
                             const Allowed& allowed) {
  for (const bool positive : {false, true}) {
    for (const T x : logits<T>()) {
      if (std::isinf(allowed(x, positive))) continue;  // anything
      const ValueAndDerivative<T> f = fast(x, positive), g = general(x, positive);
      const auto close = [&](T a, T b) { return std::fabs(a - b) <= allowed(x, positive) * std::fabs(b) + least; };
      if (close(f.value, g.value) && close(f.derivative, g.derivative)) continue;
      return std::string(positive ? "positive" : "negative") + " logit " + std::to_string(x) + ": value " +
             std::to_string(f.value) + " instead of " + std::to_string(g.value) + ", derivative " +
             std::to_string(f.derivative) + " instead of " + std::to_string(g.derivative);
    }
  }
  return "";
}

// The general power q^g = exp(g log q) has the relative error of its argument, g log q, which grows with the logit.
TEST_CASE("losses: the fast version is the same loss") {
  for (const AnyLoss& loss : test::combinations()) {
    const Versions versions = versions_of(loss);
    INFO(described(loss));
    REQUIRE(first_difference<double>(versions.fast.in_double, versions.general.in_double, 1e-300,
                                     [](double, bool) { return 1e-12; }) == "");
    const float ulp = 1.2e-7f;
    REQUIRE(first_difference<float>(versions.fast.in_float, versions.general.in_float, 1e-36f, [&](float x, bool) {
              return ulp * (8 + 2 * std::fmin(std::fabs(x), 100.0f));
            }) == "");
    // GpuLogistic: 1e-6 more, ten times that where the exponent is 10. Closer: gpu_losses_test.cpp.
    const auto at_kink = [&](float x, bool positive) {
      const auto slope = [&](double v) { return versions.general.in_double(v, positive).derivative; };
      return std::fabs(slope(x + 1e-5) - slope(x - 1e-5)) > 0.01;
    };
    REQUIRE(
        first_difference<float>(versions.gpu.in_float, versions.general.in_float, 2e-6f, [&](float x, bool positive) {
          return at_kink(x, positive) ? INFINITY : ulp * (80 + 2 * std::fmin(std::fabs(x), 100.0f));
        }) == "");
  }
}

TEST_CASE("losses: finite for logits up to 1e4, and NaN stays NaN so that a broken model is noticed") {
  const auto check = [](const auto& loss, bool positive, auto zero) {
    using T = decltype(zero);
    for (const T x : logits<T>()) {
      const ValueAndDerivative<T> l = loss(x, positive);
      if (!std::isfinite(l.value) || !std::isfinite(l.derivative))
        FAIL("x " << x << ": " << l.value << ' ' << l.derivative);
    }
    CHECK(std::isnan(loss(T(NAN), positive).value));
    CHECK(std::isnan(loss(T(NAN), positive).derivative));
  };
  for_every_version(Types::both, [&](const Version& loss, bool positive) {
    check(loss.in_float, positive, 0.0f);
    check(loss.in_double, positive, 0.0);
  });
}

TEST_CASE("losses: float follows double") {
  for_every_version(Types::both, [](const Version& loss, bool positive) {
    int jumps = 0;
    for (int i = -300; i <= 300; ++i) {
      const float x = static_cast<float>(i) * 0.05f + 0.0137f;
      const auto f = loss.in_float(x, positive);
      const auto d = loss.in_double(static_cast<double>(x), positive);
      const auto close = [](float a, double b) { return std::fabs(a - b) <= 2e-5 * std::fmax(0.1, std::fabs(b)); };
      if (!close(f.value, d.value)) FAIL("x " << x << ": " << f.value << " instead of " << d.value);
      jumps += !close(f.derivative, d.derivative);  // one side of a kink or the other
    }
    CHECK(jumps <= 1);
  });
}

TEST_CASE("losses: the less likely the truth, the higher the loss") {
  for_every_version(Types::in_double, [](const Version& loss, bool positive) {
    for (int i = -160; i < 160; ++i) {
      const double wrong = i * 0.25, worse = wrong + 0.25;
      const double rise = loss.in_double(positive ? -worse : worse, positive).value -
                          loss.in_double(positive ? -wrong : wrong, positive).value;
      REQUIRE(rise >= -1e-12);  // rounding
    }
  });
}

/// Calls check(loss, with_quality) for every variation of the losses that have soft targets.
template <class Check>
void for_every_soft_loss(const Check& check) {
  int found = 0;
  for (const AnyLoss& loss : test::variations()) {
    if (!has_soft_targets(loss)) continue;
    ++found;
    INFO(described(loss));
    struct Positive {
      const AnyLoss& loss;
      auto operator()(double x, double y) const { return positive_loss_at(loss, x, y); }
      auto operator()(float x, float y) const { return test::positive_loss_at(loss, x, y); }
    };
    check(loss, Positive{loss});
  }
  CHECK(found > 0);
}

constexpr double kQualities[] = {0, 1e-3, 0.25, 0.5, 0.8, 1};

TEST_CASE("losses: soft targets, derivatives against central differences in double") {
  for_every_soft_loss([](const AnyLoss&, const auto& soft) {
    for (const double y : kQualities) {
      int kinks = 0;
      for (int i = -160; i <= 160; ++i) {
        const double x = i * 0.25 + 0.0137;
        const auto value = [&](double v) { return soft(v, y).value; };
        const double measured = test::derivative(value, x, 0.005), finer = test::derivative(value, x, 0.0025);
        if (std::fabs(measured - finer) > 1e-9 * std::fmax(1.0, std::fabs(measured))) {
          ++kinks;  // |y - p|^beta with beta below 1, next to p = y
          continue;
        }
        const double exact = soft(x, y).derivative;
        INFO("quality " << y << " x " << x << ": " << exact << " instead of " << measured);
        REQUIRE(std::fabs(exact - measured) < 1e-8 * std::fmax(1e-3, std::fabs(exact)));
      }
      REQUIRE(kinks <= 3);
    }
  });
}

TEST_CASE("losses: soft targets, 1 is a positive and 0 a negative") {
  for_every_soft_loss([](const AnyLoss& loss, const auto& soft) {
    for (const double x : logits<double>()) {
      for (const bool positive : {false, true}) {
        const auto hard = loss_at(loss, x, positive), found = soft(x, positive ? 1.0 : 0.0);
        INFO("x " << x << (positive ? " positive" : " negative"));
        REQUIRE(std::fabs(found.value - hard.value) <= 1e-11 * std::fabs(hard.value) + 1e-300);
        REQUIRE(std::fabs(found.derivative - hard.derivative) <= 1e-11 * std::fabs(hard.derivative) + 1e-300);
      }
    }
  });
}

TEST_CASE("losses: soft targets, least where the probability is the target") {
  for_every_soft_loss([](const AnyLoss&, const auto& soft) {
    for (const double y : {0.25, 0.5, 0.8}) {
      const double there = std::log(y / (1 - y));
      for (const double away : {0.01, 0.3, 2.0, 9.0}) {
        CHECK(soft(there + away, y).derivative > 0);
        CHECK(soft(there - away, y).derivative < 0);
      }
    }
  });
}

TEST_CASE("losses: soft targets, finite in float as in double, and NaN stays NaN") {
  for_every_soft_loss([](const AnyLoss&, const auto& soft) {
    for (const double quality : kQualities) {
      const float y = static_cast<float>(quality);
      for (const float x : logits<float>()) {
        const auto f = soft(x, y);
        const auto d = soft(static_cast<double>(x), static_cast<double>(y));
        const double off = std::fabs(1 / (1 + std::exp(-static_cast<double>(x))) - quality);
        const bool steep = off < 1e-3 && quality > 0;  // where an exponent is below 1
        const bool close =
            std::fabs(f.value - d.value) <= 2e-5 * std::fmax(0.1, std::fabs(d.value)) &&
            (steep ? std::isfinite(f.derivative)
                   : std::fabs(f.derivative - d.derivative) <= 5e-5 * std::fmax(0.1, std::fabs(d.derivative)));
        if (!close) {
          FAIL("quality " << y << " x " << x << ": " << f.value << ' ' << f.derivative << " instead of " << d.value
                          << ' ' << d.derivative);
        }
      }
      REQUIRE(std::isnan(soft(NAN, y).value));
      REQUIRE(std::isnan(soft(NAN, y).derivative));
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
