// Orders in which training goes through the pictures, and the random numbers that decide them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/base/philox.h"

namespace diopter {

/// Purposes of random numbers. Streams of one seed are distinct: purpose, epoch and position do not overlap.
enum class Purpose : std::uint64_t { order = 1, augment = 2, tile = 3 };

Philox random_stream(std::uint64_t seed, Purpose purpose, std::int64_t epoch, std::int64_t position);

/// The permutations of pictures 0, 1, ... count - 1, one for each epoch, drawn from (seed, epoch). Made when they are
/// asked for; those of the last epochs are kept.
class EpochOrders {
 public:
  EpochOrders(std::uint64_t seed, std::int64_t count) : seed_(seed), count_(count) {}

  /// The permutation of an epoch. May be called from several threads at once.
  std::shared_ptr<const std::vector<int>> of(std::int64_t epoch);

  /// How many permutations are in memory: at most kMost, however long training is.
  std::size_t kept() const;

  static constexpr std::size_t kMost = 2;  // workers are rarely in more than two epochs at once

 private:
  const std::uint64_t seed_;
  const std::int64_t count_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<const std::vector<int>>> orders_;  // by epoch
};

}  // namespace diopter
