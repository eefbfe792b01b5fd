// What `diopter kernels bench` times: launches of each kernel at sizes as in training.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/kernel_bench.h"

namespace diopter {

struct KernelCase {
  std::string name;
  std::function<void()> launch;     // holds the tensors it works on
  std::vector<Tensor> behind = {};  // those that it reaches through a table in memory
};

/// A batch of square pictures.
struct BatchSize {
  int images, side;
  std::string text() const { return std::to_string(images) + " x " + std::to_string(side) + "^2"; }
};

std::vector<BatchSize> batch_sizes(Device device, bool quick);

/// The cases of a kernel of kernels/detection or kernels/nn; none where it is of the other folder.
std::vector<KernelCase> detection_cases(const std::string& kernel, Device device, bool quick);
std::vector<KernelCase> nn_cases(const std::string& kernel, Device device, bool quick);

}  // namespace diopter
