// The devices that this build can compute on. Tests of kernels and everything above run on each of them.
#pragma once

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "generated/cuda_kind.h"
#include "kernels/device/stream.h"
#include "tests/support/random.h"

namespace diopter::test {

/// Whether kernels can run on the cuda device. Says so where the build has one but the machine has not.
inline bool has_cuda() {
#ifdef DIOPTER_WITH_CUDA
  static const std::string problem = cuda::device_problem();
  static const bool said = !problem.empty() && std::cout << "cuda is not tested: " << problem << std::endl;
  static_cast<void>(said);
  return problem.empty();
#else
  return false;
#endif
}

/// The devices that kernels can run on: const Device device = GENERATE(from_range(devices()));
inline std::vector<Device> devices() {
  std::vector<Device> all{Device::cpu};
  if (has_cuda()) all.push_back(Device::cuda);
  return all;
}

inline const char* device_name(Device device) { return device == Device::cuda ? "cuda" : "cpu"; }

/// Seeded uniform floats in [low, high).
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, Device device, float low = -1, float high = 1) {
  return Tensor::from(shape, uniform(static_cast<std::size_t>(shape.size()), low, high, seed), device);
}

}  // namespace diopter::test
