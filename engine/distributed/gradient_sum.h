// Sum of the gradients of shards that several processes compute.
#pragma once

#include <vector>

#include "engine/distributed/communicator.h"
#include "engine/tensor.h"

namespace diopter {

/// Adds gradients in the order of the shards, so that the sum has the same bits for any number of ranks. Each rank owns
/// a slice of the flat gradients: it gets that slice of every shard, adds them one after another, and gives the sum to
/// all others. For one shard a rank these are the bytes of a ring all-reduce. Ranks exchange host memory.
class GradientSum {
 public:
  /// `gradients`: [size] floats, into which shards write theirs; they and `ranks` must outlive the sum.
  GradientSum(Communicator& ranks, const Tensor& gradients);

  /// The sum becomes zero, and so do the gradients.
  void start();
  /// Adds the gradients of the ranks 0 to senders - 1, in that order; then the gradients become zero.
  void add(int senders);
  /// Puts the sum into the gradients of each rank.
  void finish();

 private:
  Communicator& ranks_;
  Tensor gradients_;
  std::vector<std::int64_t> slices_;  // floats that each rank owns, one after another
  std::int64_t begin_;                // of this rank's slice
  Tensor sum_;                        // of this rank's slice
  Tensor received_;                   // that slice of each rank, on the host
  Tensor staged_;                     // the gradients on the host, where they are elsewhere
};

}  // namespace diopter
