// Overhead of the engine per operation, whatever the operation does: time on next to no data.
#pragma once

#include <string>
#include <vector>

#include "kernels/device/memory.h"

namespace diopter {

/// Microseconds per operation on a feature map [1, 1, 1, 8], one after another; medians.
struct OverheadTimes {
  std::string operation;
  double forward = 0;   // without a tape, as in inference
  double training = 0;  // recorded, and back again: both passes together
};

std::vector<OverheadTimes> bench_overhead(Device device, int repetitions);

}  // namespace diopter
