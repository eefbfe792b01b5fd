// Times of the hand-written kernels at sizes as in training.
#pragma once

#include <string>
#include <vector>

#include "engine/profile/profile_report.h"
#include "kernels/toolkit/dispatch.h"
#include "tools/kernels/list.h"

namespace diopter {

struct KernelTime {
  std::string name;         // of the case: storage type and sizes
  LeastWork least;          // of a launch
  double microseconds = 0;  // a launch, median

  double gb_per_s() const { return least.bytes / microseconds * 1e-3; }
  double gflop_per_s() const { return least.operations / microseconds * 1e-3; }
};

/// Which cases, and how often.
struct BenchOptions {
  bool quick = false;    // one tiny size each
  int repetitions = 11;  // of a launch series of about 20 ms; 1 launch when quick
  std::string size;      // "images=2,side=512,...": this size instead of the usual ones; empty: the usual ones
  std::string type;      // f32 or bf16: only cases that read this; empty: both
  std::string part;      // only cases with this in their name
  std::string save;      // file for inputs and results of the case, which then has to be one; empty: none
};

/// Throws Error when options.size names what the kernel does not have.
void check_size(const KernelEntry& kernel, const BenchOptions& options);

/// A copy within the device's memory, to compare with.
KernelTime copy_time(Device device, const BenchOptions& options);

/// The copy again, smaller on a CPU, and a product of matrices as a 1x1 convolution: some tenths of a second.
Roof measured_roof(Device device);

/// The cases of a kernel, timed in turns so that a slow moment hits all alike. Throws Error when no case is left.
std::vector<KernelTime> kernel_times(const KernelEntry& kernel, Device device, const BenchOptions& options);

/// "nms: images, side, boxes, ..." a line: the names that a size of each kernel can have.
std::string describe_sizes();

}  // namespace diopter
