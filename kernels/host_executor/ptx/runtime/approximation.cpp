#include "kernels/host_executor/ptx/runtime/approximation.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "kernels/host_executor/options.h"

namespace diopter::host_executor::ptx {

float approximate(double exact) {
  const auto nearest = static_cast<float>(exact);
  const Options& wanted = options();
  return moved(nearest, wanted.random_approximation ? random_ulps(nearest, wanted.seed) : wanted.approximation);
}

float approximate_exp2(float x) { return x == 0.0f ? 1.0f : approximate(std::exp2(static_cast<double>(x))); }

float moved(float value, int ulps) {
  if (!std::isfinite(value) || value == 0.0f) return value;
  const float towards = std::copysign(std::numeric_limits<float>::infinity(), static_cast<float>(ulps));
  for (int i = std::abs(ulps); i > 0; --i) value = std::nextafter(value, towards);
  return value;
}

int random_ulps(float value, unsigned seed) {
  std::uint64_t random = (std::uint64_t{seed} << 32) + std::bit_cast<std::uint32_t>(value);
  random *= 0x9e3779b97f4a7c15u;
  random ^= random >> 29;
  random *= 0xbf58476d1ce4e5b9u;
  return static_cast<int>((random >> 33) % 5) - 2;
}

}  // namespace diopter::host_executor::ptx
