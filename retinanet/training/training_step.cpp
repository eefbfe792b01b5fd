#include "retinanet/training/training_step.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/detection/hard_examples.h"

namespace diopter {

namespace {

Tensor at(const Tensor& numbers, StepNumber which) { return numbers.slice(which, which + 1); }

void add_to(const Tensor& sum, const Tensor& x) {
  DIOPTER_DISPATCH(x.device(), add, x.size(), sum.data<float>(), x.data<float>(), sum.data<float>());
}

std::string bytes_of(const Tensor& tensor) {
  const Tensor host = Tensor::empty(tensor.shape(), tensor.dtype());
  host.copy_from(tensor);
  return {static_cast<const char*>(host.raw()), host.bytes()};
}

/// The anchors of a shard's pictures, which its output will have, too.
AnchorGrid grid_of(const Config& config, const Shard& shard) {
  const Shape& shape = shard.images.shape();
  const int height = static_cast<int>(shape[1]), width = static_cast<int>(shape[2]);
  return anchors_for_levels(config, pyramid_levels(config.model, static_cast<int>(shape[0]), width, height), width,
                            height);
}

/// What all ranks must know of a shard; the gradients of its classes, the changed statistics and the logits of its
/// examples follow, as bytes.
struct Told {
  float classification, box;
  std::uint64_t class_gradients, statistics;  // bytes
};

std::string text_of(const Losses& losses, const std::string& statistics, const std::string& logits) {
  const std::string classes = losses.class_gradients.defined() ? bytes_of(losses.class_gradients) : "";
  const Told told{losses.classification.value().item(), losses.box.value().item(), classes.size(), statistics.size()};
  return std::string(reinterpret_cast<const char*>(&told), sizeof told) + classes + statistics + logits;
}

}  // namespace

TrainingStep::TrainingStep(const Config& config, RetinaNet& model, Optimizer& optimizer, Communicator& ranks)
    : config_(config),
      model_(model),
      optimizer_(optimizer),
      ranks_(ranks),
      rule_{config.train.shards, ranks.rank(), ranks.ranks()},
      normaliser_(config.loss, model.device()),
      loss_state_(config.loss, model.classes(), model.device()),
      statistics_(model),
      numbers_(Tensor::zeros({kStepNumbers}, DType::f32, model.device())) {
  DIOPTER_CHECK(rule_.ranks <= rule_.shards, rule_.ranks, " processes for train.shards = ", rule_.shards,
                ": each needs a shard of its own, so train.shards must be ", rule_.ranks,
                " or more, and best a multiple of it");
  if (rule_.shards == 1) return;
  if (rule_.ranks > 1 && model.device() != Device::cpu) between_devices_ = ranks.connect_devices();
  sum_.emplace(ranks, between_devices_ ? *between_devices_ : ranks, optimizer.gradients(), optimizer.slices(),
               config.train.wire);
  if (config.model.norm != NormKind::sync_batch) return;
  ShardTurns::AtSwitch swap_gradients;
  if (rule_.rounds() > 1) {
    for (int i = 0; i < rule_.mine(); ++i) shard_gradients_.push_back(optimizer.gradients().clone());
    swap_gradients = [this](int i) { optimizer_.gradients().exchange_memory(shard_gradients_[i]); };
  }
  const auto gather = [&ranks](const std::string& mine) { return ranks.gather(mine); };
  turns_.emplace(ShardTurns::Ranks{rule_.rank, rule_.ranks, gather}, rule_.shards, model.device(), swap_gradients);
}

void TrainingStep::start() {
  sum_ ? sum_->start() : optimizer_.zero_gradients();
  numbers_.zero();
}

void TrainingStep::add_batch(const std::vector<Shard>& shards, ExampleLogits* examples) {
  std::vector<AnchorTargets> targets;
  std::vector<Tensor> positives;
  for (const Shard& shard : shards) {
    targets.push_back(make_targets(config_, grid_of(config_, shard), shard.truth));
    positives.push_back(targets.back().positives);
  }
  const Tensor scale = normaliser_.scale(of_all_shards(positives));
  add_to(at(numbers_, kPositives), normaliser_.positives());

  if (rule_.shards == 1) {
    const Losses losses = run_shard(shards[0], targets[0], scale, {}, 1, examples);
    add_losses(losses.classification.value(), losses.box.value());
    if (losses.class_gradients.defined()) add_to(loss_state_.class_gradients, losses.class_gradients);
    if (losses.classification_weight.defined()) {
      add_to(at(numbers_, kClassificationWeight), losses.classification_weight);
    }
    return;
  }

  const std::vector<WholeBatch> whole = look_at_whole(shards, targets, scale);
  if (whole[0].classification_weight.defined()) {
    add_to(at(numbers_, kClassificationWeight), whole[0].classification_weight);
  }
  statistics_.start();
  std::vector<std::string> told(shards.size());
  const auto run = [&](int i, int senders) {
    std::optional<ExampleLogits> logits;
    if (examples) logits.emplace();
    const Losses losses =
        run_shard(shards[i], targets[i], part_of(scale, i), whole[i], senders, logits ? &*logits : nullptr);
    told[i] = text_of(losses, statistics_.take(), logits ? packed(*logits) : "");
  };
  const bool stay = !shard_gradients_.empty();  // the gradients, until all shards are through
  if (stay) {
    for (const Tensor& gradients : shard_gradients_) gradients.zero();
    turns_->run(ShardTurns::Statistics::moved, [&](int i) { run(i, 0); });
  }
  for (int round = 0; round < rule_.rounds(); ++round) {
    // In the last round some ranks may have no shard.
    const int senders = std::min(rule_.ranks, rule_.shards - round * rule_.ranks);
    const bool sends = rule_.rank < senders;
    if (stay || !sends) sum_->begin_round(senders);
    if (stay && sends) {
      optimizer_.gradients().copy_from(shard_gradients_[round]);
      sum_->end_backward();
    } else if (turns_ && sends) {
      turns_->run(ShardTurns::Statistics::moved, [&](int) { run(round, senders); });
    } else if (sends) {
      run(round, senders);
    }
    const std::vector<std::string> all = [&] {
      const ProfiledScope phase("gather losses");  // waits for the slowest rank
      return ranks_.gather(sends ? told[round] : "");
    }();
    for (int rank = 0; rank < senders; ++rank) add_told(all[rank], examples);
  }
  statistics_.finish(rule_.shards);
}

void TrainingStep::finish(WeightAverage* average) {
  const float factor = 1.0f / static_cast<float>(config_.train.accumulate);
  if (sum_) {
    optimizer_.update_owned(sum_->finish(), factor, numbers_);
    share_weights();
  } else {
    optimizer_.update(factor, numbers_);
  }
  at(numbers_, kGradientNorm).copy_from(optimizer_.gradient_norm());
  if (average) average->move_averages();
}

void TrainingStep::share_weights() {
  if (rule_.ranks == 1) return;
  const Tensor& flat = sum_->passing();
  optimizer_.put_owned_weights(flat);
  sum_->share(flat);
  optimizer_.take_weights(flat);
}

void TrainingStep::give_up() {
  if (sum_) sum_->drop();
}

std::vector<NamedBuffer> TrainingStep::optimizer_state() {
  const std::vector<Tensor> whole = optimizer_.whole_state();
  if (rule_.ranks > 1) {
    for (const Tensor& of_kind : whole) sum_->collect(of_kind);
  }
  return optimizer_.named(whole);
}

Losses TrainingStep::run_shard(const Shard& shard, const AnchorTargets& targets, const Tensor& scale,
                               const WholeBatch& whole, int senders, ExampleLogits* examples) {
  const bool leave = sum_ && senders > 0;
  Tape tape(leave ? sum_->sender() : Tape::AfterEach());
  const RetinaNet::Output output = model_(shard.images);
  const Losses losses =
      detection_losses(config_, model_.classes(), output.logits, output.deltas, targets, scale, loss_state_, whole);
  if (leave) sum_->begin_round(senders);
  tape.backward({losses.classification, losses.box});
  if (leave) sum_->end_backward();
  // Whoever reads the numbers explains a loss that is not finite; its logits would stop the count.
  if (examples && std::isfinite(losses.classification.value().item())) {
    examples->add(output.logits, model_.classes(), targets);
  }
  return losses;
}

std::vector<WholeBatch> TrainingStep::look_at_whole(const std::vector<Shard>& shards,
                                                    const std::vector<AnchorTargets>& targets, const Tensor& scale) {
  std::vector<WholeBatch> whole(shards.size());
  const auto look = [&](const auto& f) {
    statistics_.start();
    const auto look_at = [&](int i) {
      const Tape tape;  // so that the numbers are those of the step
      f(static_cast<std::size_t>(i), model_(shards[i].images));
      statistics_.take();
    };
    if (turns_) {
      turns_->run(ShardTurns::Statistics::kept, look_at);
    } else {
      for (int i = 0; i < std::ssize(shards); ++i) look_at(i);
    }
  };
  if (const std::optional<HardExampleRule> rule = hard_example_rule(config_.loss.kind)) {
    std::vector<Tensor> selected;
    look([&](std::size_t i, const RetinaNet::Output& output) {
      selected.push_back(hard_examples(output.logits, output.deltas, model_.classes(), targets[i], config_.loss.kind,
                                       *rule, loss_state_.class_weights)
                             .selected);
    });
    const Tensor selected_scale = scale_of_selected(config_.loss.normaliser, of_all_shards(selected));
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i].selected_scale = part_of(selected_scale, i);
  }
  if (const std::optional<GradientDensityRule> rule = gradient_density_rule(config_.loss.kind)) {
    std::vector<Tensor> counts;
    look([&](std::size_t i, const RetinaNet::Output& output) {
      counts.push_back(gradient_counts(config_.loss.kind, output.logits, model_.classes(), targets[i]));
    });
    const std::vector<std::int32_t> all = of_all_shards(counts).to_vector<std::int32_t>();
    std::vector<std::int32_t> total(static_cast<std::size_t>(rule->bins));
    for (std::size_t i = 0; i < all.size(); ++i) total[i % total.size()] += all[i];
    const Tensor weights = density_weights(config_.loss.kind, Tensor::from({rule->bins}, total, model_.device()),
                                           loss_state_.density_averages);
    for (WholeBatch& of_shard : whole) of_shard.density_weights = weights;
  }
  // Of the steps before: shards of this batch that are done must not show.
  const Tensor focusing = class_focusing(config_.loss.kind, loss_state_.class_gradients);
  for (WholeBatch& of_shard : whole) of_shard.class_focusing = focusing;
  if (config_.loss.classification_weight == kGuidedWeight) {
    const Tensor one = Tensor::full({1}, 1, model_.device());
    std::vector<Tensor> classification, box;
    look([&](std::size_t i, const RetinaNet::Output& output) {
      WholeBatch unweighted = whole[i];
      unweighted.classification_weight = one;
      const Losses losses = detection_losses(config_, model_.classes(), output.logits, output.deltas, targets[i],
                                             part_of(scale, i), loss_state_, unweighted);
      classification.push_back(losses.classification.value());
      box.push_back(losses.box.value());
    });
    const auto sum = [&](const std::vector<Tensor>& mine) {
      const Tensor all = of_all_shards(mine), total = Tensor::zeros({1}, DType::f32, model_.device());
      for (int shard = 0; shard < rule_.shards; ++shard) add_to(total, all.slice(shard, shard + 1));
      return total;
    };
    const Tensor weight = guided_weight(sum(classification), sum(box));
    for (WholeBatch& of_shard : whole) of_shard.classification_weight = weight;
  }
  return whole;
}

void TrainingStep::add_losses(const Tensor& classification, const Tensor& box) {
  add_to(at(numbers_, kClassificationLoss), classification);
  add_to(at(numbers_, kBoxLoss), box);
}

void TrainingStep::add_told(std::string_view told, ExampleLogits* examples) {
  Told head{};
  std::memcpy(&head, told.data(), sizeof head);
  told.remove_prefix(sizeof head);
  add_losses(Tensor::full({1}, head.classification, model_.device()), Tensor::full({1}, head.box, model_.device()));
  if (head.class_gradients > 0) {
    const Tensor of_shard = Tensor::empty(loss_state_.class_gradients.shape(), DType::f32, model_.device());
    of_shard.copy_from_host(told.substr(0, head.class_gradients).data());
    add_to(loss_state_.class_gradients, of_shard);
    told.remove_prefix(head.class_gradients);
  }
  statistics_.add(told.substr(0, head.statistics));
  if (examples) add_packed(told.substr(head.statistics), *examples);
}

Tensor TrainingStep::of_all_shards(const std::vector<Tensor>& mine) const {
  if (rule_.shards == 1) return mine[0];
  const std::int64_t each = mine[0].size();
  const Tensor all = Tensor::empty({rule_.shards * each}, mine[0].dtype(), mine[0].device());
  if (rule_.ranks == 1) {
    for (int shard = 0; shard < rule_.shards; ++shard) {
      all.slice(shard * each, (shard + 1) * each).copy_from(mine[shard].reshape({each}));
    }
    return all;
  }
  std::string bytes;
  for (const Tensor& of_shard : mine) bytes += bytes_of(of_shard);
  const std::vector<std::string> told = ranks_.gather(bytes);
  const std::size_t size = mine[0].bytes();
  std::string in_order;
  for (int shard = 0; shard < rule_.shards; ++shard) {
    in_order += told[shard % rule_.ranks].substr(shard / rule_.ranks * size, size);
  }
  all.copy_from_host(in_order.data());
  return all;
}

Tensor TrainingStep::part_of(const Tensor& of_all_shards, std::size_t i) const {
  const std::int64_t each = of_all_shards.size() / rule_.shards, shard = rule_.number(static_cast<std::int64_t>(i));
  return of_all_shards.slice(shard * each, (shard + 1) * each);
}

}  // namespace diopter
