// The devices that this build can compute on. Tests of engine/ and above run on each of them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor.h"
#include "tests/support/random.h"

namespace diopter::test {

inline std::vector<Device> devices() { return {Device::cpu}; }

/// For messages.
inline const char* device_name(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

/// Seeded uniform floats in [low, high).
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, Device device, float low = -1, float high = 1) {
  return Tensor::from(shape, uniform(static_cast<std::size_t>(shape.size()), low, high, seed), device);
}

}  // namespace diopter::test
