// Formulas that batch and group norms share. A batch norm is a group norm of one image with as many groups as channels.
//
//   y  = gamma (x - mean) rstd + beta = x scale + shift                       mean, rstd over the n values of a group
//   dx = rstd (g - mean(g) - xhat mean(g xhat)) = a dy + b (x - mean) + d     g = gamma dy,  xhat = (x - mean) rstd
//
// Both directions are maps with a few coefficients per channel; S is the type in which those are computed.
//
// A ReLU behind the norm is part of both: y is at least `lowest`, 0 instead of -infinity, and dy passes where y > 0,
// which is found out from x again.
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"

namespace diopter {

inline constexpr float kNoRelu = -INFINITY, kRelu = 0;  // of `lowest`

struct NormMap {
  float scale, shift, lowest = kNoRelu;
  DIOPTER_HD float operator()(float x) const {
    const float y = x * scale + shift;
    return y < lowest ? lowest : y;  // NaN stays NaN
  }
};

template <class S>
DIOPTER_HD NormMap norm_map(S mean, S rstd, float gamma, float beta) {
  const S scale = S(gamma) * rstd;
  return {static_cast<float>(scale), static_cast<float>(S(beta) - mean * scale)};
}

/// dy of a norm, without a ReLU behind it.
struct AllPass {
  DIOPTER_HD float operator()(int, float, float dy) const { return dy; }
};

/// dy of a norm, from the dy behind a ReLU: 0 where y, stored as T, is not above 0. scale and shift by channel, arrays
/// or pointers.
template <class T, class Values>
struct ReluPass {
  Values scale, shift;
  DIOPTER_HD float operator()(int c, float x, float dy) const {
    constexpr float kBecomesZero = std::is_same_v<T, bf16> ? 0x1p-134f : 0.0f;  // half of the smallest number
    return NormMap{scale[c], shift[c]}(x) > kBecomesZero ? dy : 0.0f;
  }
};

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
