#include "retinanet/network/make_optimizer.h"

namespace diopter {

std::unique_ptr<Optimizer> make_optimizer(const Config::Train& train, const Module& model, const FlatOwner& owner) {
  const auto as_float = [](double v) { return static_cast<float>(v); };
  const std::vector<ParameterGroup> groups =
      group_by_decay(model.parameters(), {.weights = as_float(train.weight_decay),
                                          .norms = as_float(train.norm_decay),
                                          .biases = as_float(train.bias_decay)});
  const float clip_norm = as_float(train.clip_norm);
  if (train.optimizer == OptimizerKind::adamw) {
    return std::make_unique<AdamW>(
        groups,
        AdamW::Options{
            .beta1 = train.beta1, .beta2 = train.beta2, .epsilon = as_float(train.epsilon), .clip_norm = clip_norm},
        owner);
  }
  return std::make_unique<Sgd>(
      groups, Sgd::Options{.momentum = as_float(train.momentum), .nesterov = train.nesterov, .clip_norm = clip_norm},
      owner);
}

}  // namespace diopter
