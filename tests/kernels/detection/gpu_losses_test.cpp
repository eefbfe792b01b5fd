// What GpuLogistic costs in accuracy: losses of every logit that bf16 can hold, as the CUDA kernel computes them, with
// the special functions of a GPU off by as much as they may be.
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/base/bf16.h"
#include "kernels/detection/losses/balanced_ce.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

/// Every number of bf16; neither infinities nor NaN.
std::vector<float> all_bf16() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    bf16 value;
    value.bits = static_cast<std::uint16_t>(bits);
    if (std::isfinite(float(value))) values.push_back(float(value));
  }
  return values;
}

float moved(float x, int ulps) {
  for (; ulps > 0; --ulps) x = std::nextafter(x, INFINITY);
  for (; ulps < 0; ++ulps) x = std::nextafter(x, -INFINITY);
  return std::fabs(x) < 0x1p-126f ? 0.0f : x;  // as .ftz
}

/// Special functions that are so many units in the last place beside the right value.
struct Off {
  static inline int exp2_ulps = 0, reciprocal_ulps = 0;

  static float exp2(float x) { return moved(SpecialFunctions::exp2(x), exp2_ulps); }
  static float reciprocal(float x) { return moved(SpecialFunctions::reciprocal(x), reciprocal_ulps); }
};

struct Errors {
  double narrow = 0;  // logits from -8 to 4, what a detector has
  double wide = 0;    // -30 to 30
  double beyond = 0;  // the rest, divided by (|x| + 8) 2^-23

  void add(double x, double error) {
    double& largest = x >= -8 && x <= 4 ? narrow : std::fabs(x) <= 30 ? wide : beyond;
    if (&largest == &beyond) error /= (std::fabs(x) + 8) * 0x1p-23;
    largest = std::fmax(largest, error);
  }
};

/// Relative errors of a loss's values and derivatives. Below 1e-32, near where floats
/// become 0, they are those of 1e-32.
template <class Unit, class Loss>
Errors errors_of(const Loss& loss, bool positive) {
  static const std::vector<float> logits = all_bf16();
  Errors errors;
  for (const float x : logits) {
    const ValueAndDerivative<float> fast = loss(x, positive, GpuLogistic<Unit>{});
    const ValueAndDerivative<double> exact = loss(double{x}, positive);
    const auto error = [](float actual, double expected) {
      return std::fabs(actual - expected) / std::fmax(std::fabs(expected), 1e-32);
    };
    const double z = positive ? -double{x} : double{x};  // wrong by
    errors.add(z, error(fast.value, exact.value));
    errors.add(z, error(fast.derivative, exact.derivative));
  }
  return errors;
}

/// Calls check for every loss whose error docs/kernels/focal_loss.md states.
template <class Check>
void for_every_loss(const Check& check) {
  for (const float alpha : {0.25f, -1.0f}) {
    for (const float gamma : {0.0f, 1.0f, 2.0f}) {
      INFO("gamma " << gamma << " alpha " << alpha);
      FocalLoss{gamma, alpha}.with_fast_version(check);
    }
  }
  check(CeLoss{});
  check(BalancedCeLoss{});
}

TEST_CASE("losses on a GPU: every logit of bf16, exact special functions") {
  for_every_loss([](const auto& loss) {
    for (const bool positive : {false, true}) {
      const Errors errors = errors_of<SpecialFunctions>(loss, positive);
      CHECK(errors.narrow < 2.5e-6);
      CHECK(errors.wide < 6e-6);
      CHECK(errors.beyond < 4);
    }
  });
}

TEST_CASE("losses on a GPU: every logit of bf16, special functions as wrong as they may be") {
  for_every_loss([](const auto& loss) {
    for (const auto& [exp2_ulps, reciprocal_ulps] : {std::pair(2, 1), {2, -1}, {-2, 1}, {-2, -1}}) {
      Off::exp2_ulps = exp2_ulps;
      Off::reciprocal_ulps = reciprocal_ulps;
      const Errors errors = errors_of<Off>(loss, false);
      CHECK(errors.narrow < 4e-6);
      CHECK(errors.wide < 7e-6);
      CHECK(errors.beyond < 4);
    }
    Off::exp2_ulps = Off::reciprocal_ulps = 0;
  });
}

TEST_CASE("losses on a GPU: what is not finite, and what exceeds the exponential, as in the general form") {
  for_every_loss([](const auto& loss) {
    for (const float x : {1e4f, -1e4f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN, 88.0f, -88.0f, -0.0f}) {
      for (const bool positive : {false, true}) {
        const ValueAndDerivative<float> fast = loss(x, positive, GpuLogistic<Off>{}), general = loss(x, positive);
        const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
        const auto close = [&](float a, float b) {
          return same(a, b) || std::fabs(a - b) <= 1e-5f * std::fabs(b) + 1e-36f;
        };
        INFO("logit " << x << (positive ? ", positive" : ", negative"));
        CHECK(close(fast.value, general.value));
        CHECK(close(fast.derivative, general.derivative));
      }
    }
  });
}

}  // namespace
}  // namespace diopter
