// Philox4x32-10: counter-based random numbers (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").
// The i-th number of a stream depends on (seed, stream, i) only: the same on both devices and for any number of
// threads.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/host_device.h"

namespace diopter {

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// Ten rounds over the 128-bit counter with the 64-bit key: four uniform 32-bit words.
DIOPTER_HD inline PhiloxBlock philox4x32(std::uint64_t key, std::uint64_t counter_high, std::uint64_t counter_low) {
  std::uint32_t c0 = static_cast<std::uint32_t>(counter_low), c1 = static_cast<std::uint32_t>(counter_low >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(counter_high), c3 = static_cast<std::uint32_t>(counter_high >> 32);
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// A stream of numbers: Philox(seed, stream) yields the same sequence everywhere. Cheap to construct; give each
/// thing that draws (an image in an epoch, a parameter) a stream of its own.
class Philox {
 public:
  DIOPTER_HD Philox(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// Uniform 32-bit word.
  DIOPTER_HD std::uint32_t next() {
    if (used_ == 4) {
      block_ = philox4x32(seed_, stream_, counter_++);
      used_ = 0;
    }
    return block_.word[used_++];
  }
  /// Uniform in [0, 1), 24 bits.
  DIOPTER_HD float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }
  /// Uniform in [low, high).
  DIOPTER_HD float uniform(float low, float high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, n), n >= 1 (multiply-shift; bias below n / 2^32).
  DIOPTER_HD std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * n) >> 32);
  }
  /// Standard normal (Box-Muller, cosine branch).
  DIOPTER_HD float normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - static_cast<double>(uniform())));
    return static_cast<float>(radius * std::cos(6.283185307179586 * static_cast<double>(uniform())));
  }

 private:
  std::uint64_t seed_, stream_, counter_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

}  // namespace diopter
