// Logits that the tests of the losses go over.
#pragma once

#include <cmath>

namespace diopter::test {

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// check(logit, positive) for 121 logits around `center`, `step` apart, each with both signs.
template <class Check>
void for_logits(double step, double center, const Check& check) {
  for (int i = -60; i <= 60; ++i) {
    for (const bool positive : {false, true}) check(i * step + center, positive);
  }
}

}  // namespace diopter::test
