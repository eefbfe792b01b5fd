// Learning rate as a function of the iteration.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace diopter {

/// lr(i) = base * warm-up(i) * decay(i)
///   warm-up: linear from warmup_factor to 1 over the first warmup_iterations
///   constant: 1;  multistep: gamma^(number of milestones <= i);  cosine: (1 + cos(pi i / iterations)) / 2
///   exponential: gamma^(i / iterations), of range tests only
struct Schedule {
  enum class Kind { constant, multistep, cosine, exponential } kind = Kind::multistep;
  double base = 0.01;
  std::int64_t iterations = 90000;
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
  std::int64_t warmup_iterations = 0;
  double warmup_factor = 0.001;

  double at(std::int64_t i) const {
    double lr = base;
    if (i < warmup_iterations) {
      const double done = static_cast<double>(i) / static_cast<double>(warmup_iterations);
      lr *= warmup_factor + (1 - warmup_factor) * done;
    }
    if (kind == Kind::multistep) {
      lr *= std::pow(gamma, std::count_if(milestones.begin(), milestones.end(), [i](auto m) { return m <= i; }));
    } else if (kind == Kind::cosine) {
      const double done =
          std::min(1.0, static_cast<double>(i) / static_cast<double>(std::max<std::int64_t>(iterations, 1)));
      lr *= 0.5 * (1 + std::cos(3.141592653589793 * done));
    } else if (kind == Kind::exponential) {
      lr *= std::pow(gamma, static_cast<double>(i) / static_cast<double>(iterations));
    }
    return lr;
  }

  /// The first iteration after i at which the rate falls by a step of multistep; `iterations` where none is left.
  std::int64_t next_decay(std::int64_t i) const {
    std::int64_t next = iterations;
    if (kind != Kind::multistep) return next;
    for (const std::int64_t milestone : milestones) {
      if (milestone > i) next = std::min(next, milestone);
    }
    return next;
  }
};

}  // namespace diopter
