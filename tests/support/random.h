// Seeded random arrays for tests: the project's own counter-based generator.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/base/philox.h"

namespace diopter::test {

/// n uniform floats in [low, high), the same for the same seed everywhere.
inline std::vector<float> uniform(std::size_t n, float low, float high, std::uint64_t seed) {
  std::vector<float> values(n);
  Philox random(seed, 0);
  for (float& v : values) v = low + (high - low) * random.uniform();
  return values;
}

}  // namespace diopter::test
