// Curves of classification losses: value and derivative against p_t and x_t (Lin et al. 2017, figures 1, 5, 6 and 7).
//
//   x_t = positive ? x : -x      logit of being right (appendix A)
//   p_t = sigmoid(x_t)
#pragma once

#include <string>
#include <vector>

#include "kernels/detection/any_loss.h"

namespace diopter {

/// Curves over common abscissae.
struct LossCurves {
  std::vector<double> x;
  std::vector<std::vector<double>> y;  // [loss][point]
};

/// Loss against p_t, 0 < p_t < 1, of which both ends are left out: most losses are infinite at 0.
LossCurves value_over_probability(const std::vector<AnyLoss>& losses, bool positive);

/// Loss against x_t from -6 to 6.
LossCurves value_over_logit(const std::vector<AnyLoss>& losses, bool positive);

/// dL/dx_t against x_t from -6 to 6.
LossCurves derivative_over_logit(const std::vector<AnyLoss>& losses, bool positive);

}  // namespace diopter
