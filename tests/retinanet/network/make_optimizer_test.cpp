#include "retinanet/network/make_optimizer.h"

#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/retinanet.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

Config tiny_network() {
  Config config = preset("small");
  config.model.width = 4;
  config.model.groups = 2;
  config.model.fpn_channels = 4;
  config.model.head_depth = 1;
  return config;
}

/// All weights of a network after three steps with gradients of a seed.
template <class MakeOptimizer>
std::vector<float> weights_after_steps(const Config& config, const MakeOptimizer& make) {
  const RetinaNet model(config, 2);
  const std::unique_ptr<Optimizer> optimizer = make(model);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    optimizer->zero_gradients();
    for (const NamedParameter& p : model.parameters()) {
      const std::int64_t n = p.variable.value().size();
      p.variable.gradient()->accumulate(Tensor::from(p.variable.shape(), test::uniform(n, -1, 1, step)));
    }
    optimizer->step(0.01f);
  }
  std::vector<float> weights;
  for (const NamedParameter& p : model.parameters()) {
    const std::vector<float> values = p.variable.value().to_vector<float>();
    weights.insert(weights.end(), values.begin(), values.end());
  }
  return weights;
}

const WeightDecay kDecay{.weights = 0.5f, .norms = 0.25f, .biases = 0.125f};

Config with_decay(Config config) {
  config.train.weight_decay = 0.5;
  config.train.norm_decay = 0.25;
  config.train.bias_decay = 0.125;
  config.train.clip_norm = 3;
  return config;
}

}  // namespace

TEST_CASE("the optimizer of a configuration: SGD") {
  Config config = with_decay(tiny_network());
  config.train.optimizer = OptimizerKind::sgd;
  config.train.momentum = 0.75;
  config.train.nesterov = true;
  const auto by_hand = [](const RetinaNet& model) {
    return std::make_unique<Sgd>(group_by_decay(model.parameters(), kDecay),
                                 Sgd::Options{.momentum = 0.75f, .nesterov = true, .clip_norm = 3});
  };
  const auto made = [&](const RetinaNet& model) { return make_optimizer(config.train, model); };
  CHECK((weights_after_steps(config, made) == weights_after_steps(config, by_hand)));
}

TEST_CASE("the optimizer of a configuration: AdamW") {
  Config config = with_decay(tiny_network());
  config.train.optimizer = OptimizerKind::adamw;
  config.train.beta1 = 0.5;
  config.train.beta2 = 0.75;
  config.train.epsilon = 0.125;
  const auto by_hand = [](const RetinaNet& model) {
    return std::make_unique<AdamW>(group_by_decay(model.parameters(), kDecay),
                                   AdamW::Options{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.125f, .clip_norm = 3});
  };
  const auto made = [&](const RetinaNet& model) { return make_optimizer(config.train, model); };
  CHECK((weights_after_steps(config, made) == weights_after_steps(config, by_hand)));
}

}  // namespace diopter
