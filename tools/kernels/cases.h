// Cases of `diopter kernels bench`: launches of each kernel at sizes as in training, or at those of --size.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace diopter {

struct KernelCase {
  std::string name;
  std::function<void()> launch;                // holds the tensors it works on
  std::vector<Tensor> behind = {};             // those that it reaches through a table in memory
  std::map<std::string, Tensor> tensors = {};  // inputs and results, for --save
};

/// A case's sizes: a batch of square pictures and, by name, whatever else the kernel's cases know.
struct CaseSize {
  int images, side;
  std::map<std::string, int> others = {};

  int get(const std::string& name, int otherwise) const;
  std::string text() const { return std::to_string(images) + " x " + std::to_string(side) + "^2"; }
};

/// Adds the cases of a kernel for a size and a storage type.
using AddCases = void (*)(std::vector<KernelCase>& cases, Device device, const CaseSize& size);
struct CaseMaker {
  DType type;  // of what the kernel reads; f32 for those that know one type only
  AddCases add;
};

/// Makers of the cases of the kernels of kernels/detection and of kernels/nn, by the kernel's name.
const std::map<std::string, std::vector<CaseMaker>>& detection_cases();
const std::map<std::string, std::vector<CaseMaker>>& nn_cases();

}  // namespace diopter
