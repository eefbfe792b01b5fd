// OHEM with three negatives for each positive (Lin et al. 2017, table 1d, "OHEM 1:3", after SSD, Liu et al. 2016):
// cross-entropy of the hardest positives, a quarter of the batch at most, and of three times as many negatives.
#pragma once

#include "kernels/detection/losses/ohem.h"

namespace diopter {

struct Ohem13Loss : OhemLoss {
  static constexpr const char* source = "Lin et al. 2017, table 1d, OHEM 1:3";

  HardExampleRule hard_examples() const {
    HardExampleRule rule = OhemLoss::hard_examples();
    rule.negatives_per_positive = 3;
    return rule;
  }
};

}  // namespace diopter
