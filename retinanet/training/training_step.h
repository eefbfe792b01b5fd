// Arithmetic of a training step: forward and backward passes over the shards of its batches, then the update.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "data/shards.h"
#include "engine/distributed/gradient_sum.h"
#include "engine/optimizer.h"
#include "engine/shard_turns.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/training/loss_distribution.h"
#include "retinanet/training/shard_statistics.h"

namespace diopter {

/// Numbers of a step that the device computes for people to see, floats; all but the norm are sums over its batches.
enum StepNumber {
  kClassificationLoss,
  kBoxLoss,
  kPositives,
  kGradientNorm,
  kClassificationWeight,  // where it is guided
  kStepNumbers
};

/// A shard of a batch on the device.
struct Shard {
  Variable images;  // [images, height, width, 3]
  TruthTensors truth;
};

/// A step on train.shards shards a batch, of which each rank has its own (ShardRule). What looks at a whole batch looks
/// at all its shards: positives and their average, selected hard
/// examples, densities of gradients, the guided weight. Gradients, losses and
/// statistics are added in the order of the shards, so that the bits do not depend on the number of ranks
/// (docs/scaling.md). One shard is worked on at a time; its activations are gone before the next one's are there,
/// unless norms look at the whole batch (NormKind::sync_batch): then the passes over this rank's shards take turns.
/// With one shard a batch everything is queued on the device, and nothing waits for it.
class TrainingStep {
 public:
  /// All of these must outlive it.
  TrainingStep(const Config& config, RetinaNet& model, Optimizer& optimizer, Communicator& ranks);

  /// Opens a step: gradients and numbers() become zero.
  void start();
  /// A batch of which this rank has `shards`, in their order. `examples`, on all ranks or on none: gets the logits of
  /// the batch.
  void add_batch(const std::vector<Shard>& shards, ExampleLogits* examples);
  /// Closes a step, after its batches: updates the weights, and their average where there is one.
  void finish(WeightAverage* average);
  /// Instead of finish: the weights stay as they are.
  void give_up();
  /// What the optimizer keeps, for a checkpoint: of all ranks, each of which calls it, on rank 0.
  std::vector<NamedBuffer> optimizer_state();

  const ShardRule& shards() const { return rule_; }
  Normaliser& normaliser() { return normaliser_; }
  LossState& loss_state() { return loss_state_; }
  /// [kStepNumbers]
  const Tensor& numbers() const { return numbers_; }
  /// Messages from GPU to GPU, by which gradients and weights pass; null where they pass through the host.
  const Messages* between_devices() const { return between_devices_.get(); }
  /// GradientSum::arrived_early; 0 without shards.
  double arrived_early() const { return sum_ ? sum_->arrived_early() : 0; }

 private:
  /// What the losses of each shard depend on that the whole batch decides. Costs forward passes of all shards where
  /// there is such a thing.
  std::vector<WholeBatch> look_at_whole(const std::vector<Shard>& shards, const std::vector<AnchorTargets>& targets,
                                        const Tensor& scale);
  /// Forward and backward pass of one of this rank's shards, in a round in which the first `senders` ranks have one, or
  /// with 0 `senders` in none: then the gradients stay. `examples` may be null.
  Losses run_shard(const Shard& shard, const AnchorTargets& targets, const Tensor& scale, const WholeBatch& whole,
                   int senders, ExampleLogits* examples);
  /// Each rank gets the weights that others have updated.
  void share_weights();
  void add_losses(const Tensor& classification, const Tensor& box);
  /// Adds what a rank told of its shard.
  void add_told(std::string_view told, ExampleLogits* examples);
  /// [values of all shards], in their order, of `mine`: a tensor for each shard of this rank.
  Tensor of_all_shards(const std::vector<Tensor>& mine) const;
  /// The part of this rank's shard i.
  Tensor part_of(const Tensor& of_all_shards, std::size_t i) const;

  const Config& config_;
  RetinaNet& model_;
  Optimizer& optimizer_;
  Communicator& ranks_;
  ShardRule rule_;
  Normaliser normaliser_;
  LossState loss_state_;
  ShardStatistics statistics_;
  std::unique_ptr<Messages> between_devices_;  // where they pass so
  std::optional<GradientSum> sum_;             // where a batch has several shards
  std::optional<ShardTurns> turns_;            // where their passes need each other
  std::vector<Tensor> shard_gradients_;        // of the shards of this rank, where several take turns
  Tensor numbers_;
};

}  // namespace diopter
