// One training step in numbers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace diopter {

inline constexpr std::array<double, 3> kHardest = {0.01, 0.05, 0.2};

/// Shares of loss and gradient that the hardest 1, 5 and 20 % of the examples carry.
struct HardestShares {
  std::array<double, 3> loss, gradient;
};

/// One step, as reports and metrics.csv show it.
struct StepReport {
  std::int64_t iteration = 0;  // steps done
  double lr = 0, classification_loss = 0, box_loss = 0, gradient_norm = 0;
  std::int64_t positives = 0;                   // anchors, in the step's batches
  std::optional<double> classification_weight;  // with loss.classification_weight = guided: mean of the step's batches
  double images_per_second = 0,
         seconds = 0;          // since the run was started or resumed; evaluations are left out of the speed
  double peak_memory_mib = 0;  // largest resident size of the process so far
  /// Of the negatives, every log_every steps; nothing on a GPU, which would have to be waited for, and for losses that
  /// select examples.
  std::optional<HardestShares> hardest_negatives;
};

}  // namespace diopter
