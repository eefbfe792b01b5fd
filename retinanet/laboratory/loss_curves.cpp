#include "retinanet/laboratory/loss_curves.h"

#include <cmath>

namespace diopter {

namespace {

constexpr int kProbabilitySteps = 250;
constexpr int kLogitSteps = 240;
constexpr double kLargestLogit = 6;

/// {L, dL/dx_t} at x_t.
ValueAndDerivative<double> at_logit(const AnyLoss& loss, double x_t, bool positive) {
  const ValueAndDerivative<double> l = loss_at(loss, positive ? x_t : -x_t, positive);
  return {l.value, positive ? l.derivative : -l.derivative};
}

/// y(loss, x) for every loss and x.
template <class Y>
LossCurves curves(const std::vector<AnyLoss>& losses, const std::vector<double>& x, const Y& y) {
  LossCurves result{x, {}};
  for (const AnyLoss& loss : losses) {
    std::vector<double>& values = result.y.emplace_back();
    for (const double at : x) values.push_back(y(loss, at));
  }
  return result;
}

std::vector<double> logits() {
  std::vector<double> x;
  for (int i = 0; i <= kLogitSteps; ++i) x.push_back((2 * i - kLogitSteps) * kLargestLogit / kLogitSteps);
  return x;
}

}  // namespace

LossCurves value_over_probability(const std::vector<AnyLoss>& losses, bool positive) {
  std::vector<double> p;
  for (int i = 1; i < kProbabilitySteps; ++i) p.push_back(static_cast<double>(i) / kProbabilitySteps);
  return curves(losses, p, [&](const AnyLoss& loss, double p_t) {
    return at_logit(loss, std::log(p_t / (1 - p_t)), positive).value;
  });
}

LossCurves value_over_logit(const std::vector<AnyLoss>& losses, bool positive) {
  return curves(losses, logits(), [&](const AnyLoss& loss, double x_t) { return at_logit(loss, x_t, positive).value; });
}

LossCurves derivative_over_logit(const std::vector<AnyLoss>& losses, bool positive) {
  return curves(losses, logits(),
                [&](const AnyLoss& loss, double x_t) { return at_logit(loss, x_t, positive).derivative; });
}

}  // namespace diopter
