// Learning-rate range test: how the loss answers to a learning rate that rises from step to step (Smith 2017, "Cyclical
// Learning Rates for Training Neural Networks", section 3.3).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/device/memory.h"
#include "retinanet/config/config.h"

namespace diopter {

struct LrPoint {
  double lr;
  double loss;      // classification and box loss of the step at this rate
  double smoothed;  // mean of the losses so far, each step's weight 0.9 times that of the next
};

struct LrRange {
  std::vector<LrPoint> points;
  bool diverged =
      false;            // it ended before the last rate: the loss had risen to four times its least, or was not finite
  double proposal = 0;  // see propose_lr
};

/// Rates of the test, geometrically from kLeastLr to kMostLr.
inline constexpr double kLeastLr = 1e-5, kMostLr = 10;
inline constexpr std::int64_t kLrSteps = 120;

/// Fills in the smoothed losses.
void smooth(std::vector<LrPoint>& points);

/// Half the rate at which the smoothed loss is least, which is where it has begun to be too large: the smoothed loss is
/// some steps late. 0 without points.
double propose_lr(const std::vector<LrPoint>& points);

/// Trains a new model for kLrSteps steps at rising rates, without warm-up; nothing of it is kept. The same
/// configuration and data give the same numbers. `progress(done)` is called after each step.
LrRange find_lr(const Config& config, const Dataset& train, Device device,
                const std::function<void(std::int64_t done)>& progress);

/// "lr,loss,smoothed" and a line per step.
std::string lr_range_csv(const LrRange& range);

}  // namespace diopter
