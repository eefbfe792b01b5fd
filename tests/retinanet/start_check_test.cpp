#include "retinanet/start_check.h"

#include <cmath>

#include "engine/optimizer.h"
#include "retinanet/anchor_coverage.h"
#include "retinanet/retinanet.h"
#include "retinanet/targets.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Dataset boxes_of(int width, int height) {
  Dataset dataset;
  dataset.categories = {{1, "a"}, {2, "b"}};
  for (int i = 0; i < 4; ++i) {
    dataset.images.push_back(annotated(std::to_string(i), width, height, random_rects(3, width, height, 10, 24, 1, i)));
  }
  return dataset;
}

/// Two images with 4 and 0 positives and 10 ignored anchors in the first.
AnchorTargets hand_made_targets(const Config& config) {
  AnchorTargets targets;
  targets.grid = anchors_of_input(config, 64, 64);
  std::vector<std::int32_t> labels(2 * targets.grid.size(), kBackground);
  for (int i = 0; i < 4; ++i) labels[i] = i % 2;
  for (int i = 4; i < 14; ++i) labels[i] = kIgnore;
  targets.labels = Tensor::from({2, targets.grid.size()}, labels);
  targets.positives = Tensor::from({2}, std::vector<std::int32_t>{4, 0});
  targets.offsets = Tensor::from({3}, std::vector<std::int32_t>{0, 0, 0});
  return targets;
}

}  // namespace

TEST_CASE("the expected loss follows from prior, gamma and alpha") {
  Config config = preset("small");
  const AnchorTargets targets = hand_made_targets(config);
  const double anchors = static_cast<double>(targets.grid.size()), p = config.model.prior;
  const Tensor scale = Tensor::from({2}, std::vector<float>{0.25f, 0.5f});

  // The paper's sanity numbers: 1.128382 a positive, 7.53775e-7 a negative logit.
  const double focal = 0.25 * (4 * 1.128382 + ((anchors - 10) * 3 - 4) * 7.53775e-7) + 0.5 * anchors * 3 * 7.53775e-7;
  REQUIRE(expected_classification_loss(config, 3, targets, scale) == Approx(focal).epsilon(1e-4));

  config.loss.gamma = 0;
  config.loss.alpha = -1;
  config.loss.classification_weight = 2;
  const double entropy =
      0.25 * (-4 * std::log(p) - ((anchors - 10) * 3 - 4) * std::log(1 - p)) - 0.5 * anchors * 3 * std::log(1 - p);
  REQUIRE(expected_classification_loss(config, 3, targets, scale) == Approx(2 * entropy).epsilon(1e-4));
}

TEST_CASE("the untrained network starts at the expected loss") {
  const Dataset dataset = boxes_of(64, 64);
  for (const std::string setting : {"loss.gamma=2", "loss.gamma=0.5", "loss.normaliser=image", "loss.normaliser=ema",
                                    "model.prior=0.1", "loss.alpha=0.75"}) {
    Config config = preset("small");
    set_config(config, setting);
    const InitialLoss loss = initial_loss(config, dataset, false);
    INFO(setting << ": " << loss.measured << " instead of " << loss.expected);
    REQUIRE(loss.pictures == 4);
    REQUIRE(loss.expected > 0);
    REQUIRE(std::fabs(loss.measured - loss.expected) < 0.1 * loss.expected);
    REQUIRE(loss.box > 0);
  }
}

TEST_CASE("the predicted memory is that of a step") {
  Config config = preset("small");
  config.train.batch_size = 6;
  const StepMemory memory = step_memory(config, boxes_of(64, 60), 1000);
  REQUIRE(memory.width == 64);
  REQUIRE(memory.height == 64);
  REQUIRE(memory.loader == 1000 + 3 * 6 * 64 * 64 * 3 * 4);

  const std::size_t before = cpu::allocated_bytes();
  const RetinaNet model(config, 2);
  Sgd optimizer(group_by_decay(model.parameters(), 0, 0), {});
  REQUIRE(memory.parameters == optimizer.parameter_count());
  cpu::reset_peak_bytes();
  {
    Tape tape;
    const RetinaNet::Output output = model(Variable(Tensor::zeros({6, 64, 64, 3})));
    Batch batch;
    batch.images = 6;
    batch.offsets.assign(7, 0);
    const AnchorTargets targets = make_targets(config, output.grid, batch);
    const Tensor scale = Normaliser(config.loss).scale(targets);
    const Losses losses = detection_losses(config, 2, output.logits, output.deltas, targets, scale);
    tape.backward({losses.classification, losses.box});
  }
  const double measured = static_cast<double>(cpu::peak_bytes() - before);
  INFO(memory.predicted << " predicted, " << measured << " measured");
  REQUIRE(std::fabs(static_cast<double>(memory.predicted) - measured) < 0.05 * measured);
}

TEST_CASE("memory is extrapolated to pictures that are larger than the measured ones") {
  Config config = preset("small");
  config.input.max_size = 480;
  config.train.batch_size = 1;
  const StepMemory large = step_memory(config, boxes_of(480, 480), 0);  // measured at 320 x 320
  config.input.max_size = 320;
  const StepMemory limit = step_memory(config, boxes_of(320, 320), 0);
  REQUIRE(large.width == 480);
  const double pixels = 480.0 * 480 - 320.0 * 320;
  REQUIRE(static_cast<double>(large.predicted - limit.predicted) == Approx(limit.per_pixel * pixels).epsilon(0.05));
}
