// Times of the hand-written kernels at sizes as in training.
#pragma once

#include <string>
#include <vector>

#include "engine/dispatch.h"
#include "engine/profile_report.h"
#include "tools/kernel_list.h"

namespace diopter {

struct KernelTime {
  std::string name;         // of the case: storage type and sizes
  Floor floor;              // of a launch
  double microseconds = 0;  // a launch, median

  double gb_per_s() const { return floor.bytes / microseconds * 1e-3; }
  double gflop_per_s() const { return floor.operations / microseconds * 1e-3; }
};

/// A copy within the device's memory, to compare with.
KernelTime copy_time(Device device, bool quick);

/// The copy again, smaller on a CPU, and a product of matrices as a 1x1 convolution: some tenths of a second.
Roof measured_roof(Device device);

/// The cases of a kernel, timed in turns so that a slow moment hits all alike. quick: one tiny case each.
std::vector<KernelTime> kernel_times(const KernelEntry& kernel, Device device, bool quick);

}  // namespace diopter
