// Sum of the gradients of shards that several processes compute.
#pragma once

#include <vector>

#include "engine/distributed/communicator.h"
#include "engine/flat_slices.h"
#include "engine/tape.h"
#include "engine/tensor.h"

namespace diopter {

/// Adds gradients in the order of the shards, so that the sum has the same bits for any number of ranks. Each rank owns
/// slices of the flat gradients: it gets these of every shard and adds them one after another. It updates the weights
/// that it owns (Optimizer::update_owned) and gives them to all others: `share`. For one shard a rank these are the
/// bytes of a ring all-reduce.
///
/// A bucket of gradients leaves as soon as the backward pass is through with it and those before it in the order of
/// leaving, and passes while the pass goes on. The memory that ranks exchange is that of `messages`.
class GradientSum {
 public:
  /// `gradients`: [slices.size()] floats, into which shards write theirs; they and `ranks` must outlive the sum. What
  /// each shard gives is rounded to `wire`, f32 or bf16, on a single rank, too. Gradients and weights pass as
  /// `messages`: `ranks` itself, or such as pass between GPUs.
  GradientSum(Communicator& ranks, Messages& messages, const Tensor& gradients, const FlatSlices& slices, DType wire);

  /// Sum and gradients become zero.
  void start();
  /// Opens a round, in which the ranks 0 to senders - 1 have a shard each: adds the gradients of the round before, and
  /// sets this rank's to zero. Before each backward pass.
  void begin_round(int senders);
  /// For the Tape of a shard: lets its gradients leave. Empty for a single rank.
  Tape::AfterEach sender();
  /// After the backward pass: sends what has not left.
  void end_backward();
  /// Adds the gradients of the last round. The sum is in the gradients then, at least the slices that this rank owns.
  /// Returns its squared norm, the same on all ranks.
  float finish();
  /// Ends what is under way where a step is given up.
  void drop();

  /// The gradients, or a place for them where messages pass: [size] floats for `share`, until the next step starts.
  const Tensor& passing() const { return passing_; }
  /// Each rank gives the slices of `flat` that it owns, where messages pass, to all others.
  void share(const Tensor& flat);
  /// To rank 0 only, of `flat` on the host.
  void collect(const Tensor& flat);

  /// Share of the bytes of gradients that had arrived when this rank's backward passes ended: for these it did not
  /// wait.
  double arrived_early() const {
    return expected_ > 0 ? static_cast<double>(early_) / static_cast<double>(expected_) : 0;
  }

 private:
  void add_round();
  void became_final(const Tensor& gradient);
  /// Sends the buckets whose turn it is, until one is not final.
  void send_final();
  void send(std::size_t bucket);
  void give(Messages& messages, const Tensor& flat, int receivers);
  float squared_norm() const;

  Communicator& ranks_;
  Messages& messages_;
  Tensor gradients_;
  FlatSlices slices_;
  DType wire_;
  Tensor sum_;  // [owned]
  Tensor passing_;
  Tensor outgoing_;                        // of type `wire`, where messages pass; may be the gradients
  Tensor received_;                        // [ranks, owned] of type `wire`, where messages pass
  std::vector<std::int64_t> left_;         // by bucket: floats that are not final
  std::size_t sent_ = 0;                   // buckets, in the order of leaving
  int senders_ = 0;                        // of the round that is open; 0: none is
  std::int64_t expected_ = 0, early_ = 0;  // bytes
};

}  // namespace diopter
