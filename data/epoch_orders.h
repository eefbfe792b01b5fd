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
enum class Purpose : std::uint64_t { order = 1, augment = 2, tile = 3, repeat = 4 };

Philox random_stream(std::uint64_t seed, Purpose purpose, std::int64_t epoch, std::int64_t position);

/// The orders of pictures 0, 1, ... count - 1, one for each epoch, drawn from (seed, epoch). Made when they are asked
/// for; those of the last epochs are kept. All may be called from several threads at once.
///
/// An order is a permutation; or, with repeat factors r >= 1, one of floor(r) copies of each picture and a further one
/// with the probability r - floor(r), drawn from (seed, epoch, picture): epochs differ in length.
class EpochOrders {
 public:
  /// repeats: a factor for each picture; empty: 1 each.
  EpochOrders(std::uint64_t seed, std::int64_t count, std::vector<double> repeats = {});

  /// The order of an epoch.
  std::shared_ptr<const std::vector<int>> of(std::int64_t epoch);

  struct Place {
    std::int64_t epoch, position;  // within the epoch's order
  };
  /// Where item number i lies in the sequence that strings the epochs together. There must be pictures.
  Place place(std::int64_t i);

  /// How many permutations are in memory: at most kMost, however long training is.
  std::size_t kept() const;

  static constexpr std::size_t kMost = 2;  // workers are rarely in more than two epochs at once

 private:
  /// The pictures of an epoch, each as often as it comes.
  std::vector<int> pictures(std::int64_t epoch) const;

  const std::uint64_t seed_;
  const std::int64_t count_;
  const std::vector<double> repeats_;
  std::vector<std::int64_t> ends_;  // with repeats: items of the epochs up to each, as far as they were asked for
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<const std::vector<int>>> orders_;  // by epoch
};

}  // namespace diopter
