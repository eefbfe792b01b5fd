// Batch and group norms, the shortest way: the formula in double, forward only. The fast versions:
// kernels/nn/{batch_norm,group_norm}.{h,cpp,cu}; their tests compare gradients with differences of this.
//
//   y = gamma (x - mean) / sqrt(var + eps) + beta,  mean and biased variance of an image and a group of channels
#pragma once

#include <cmath>

#include "kernels/toolkit/levels.h"

namespace diopter::plain {

/// x, y [levels.rows(), channels]; gamma, beta [channels]. A batch norm is this over one image (all rows), with as many
/// groups as channels.
inline void norm(const Levels& levels, int channels, int groups, double eps, const double* x, const double* gamma,
                 const double* beta, double* y) {
  const int width = channels / groups;
  std::int64_t first = 0;  // element of the image
  for (int l = 0; l < levels.count; ++l) {
    const std::int64_t pixels = std::int64_t{levels.level[l].h} * levels.level[l].w;
    for (int n = 0; n < levels.level[l].n; ++n, first += pixels * channels) {
      for (int group = 0; group < groups; ++group) {
        const auto for_each = [&](auto body) {
          for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
            for (int c = group * width; c < (group + 1) * width; ++c) body(first + pixel * channels + c, c);
        };
        const double count = static_cast<double>(pixels) * width;
        double mean = 0, var = 0;
        for_each([&](std::int64_t i, int) { mean += x[i] / count; });
        for_each([&](std::int64_t i, int) { var += (x[i] - mean) * (x[i] - mean) / count; });
        for_each([&](std::int64_t i, int c) { y[i] = gamma[c] * (x[i] - mean) / std::sqrt(var + eps) + beta[c]; });
      }
    }
  }
}

}  // namespace diopter::plain
