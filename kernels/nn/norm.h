// Formulas that batch and group norms share. A batch norm is a group norm of one image with as many groups as channels.
//
//   y  = gamma (x - mean) rstd + beta = x scale + shift                       mean, rstd over the n values of a group
//   dx = rstd (g - mean(g) - xhat mean(g xhat)) = a dy + b (x - mean) + d     g = gamma dy,  xhat = (x - mean) rstd
//
// Both directions are maps with a few coefficients per channel; S is the type in which those are computed.
#pragma once

#include "kernels/base/host_device.h"

namespace diopter {

struct NormMap {
  float scale, shift;
  DIOPTER_HD float operator()(float x) const { return x * scale + shift; }
};

template <class S>
DIOPTER_HD NormMap norm_map(S mean, S rstd, float gamma, float beta) {
  const S scale = S(gamma) * rstd;
  return {static_cast<float>(scale), static_cast<float>(S(beta) - mean * scale)};
}

struct NormGradient {
  float a, b, d, mean;
  DIOPTER_HD float operator()(float x, float dy) const { return a * dy + (b * (x - mean) + d); }
};

/// The part of dx that goes through the statistics of a group.
struct StatisticsGradient {
  float b, d;
};

/// From the sums of g and of g xhat over the group's n values.
DIOPTER_HD inline StatisticsGradient statistics_gradient(double rstd, double n, double sum_g, double sum_g_xhat) {
  return {static_cast<float>(-rstd * rstd * sum_g_xhat / n), static_cast<float>(-rstd * sum_g / n)};
}

}  // namespace diopter
