#include "retinanet/doctor/dry_run.h"
#include "kernels/detection/losses/ce.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <cmath>
#include <future>
#include <utility>

#include "engine/optimizer.h"
#include "kernels/base/parallel.h"
#include "kernels/device/memory.h"
#include "retinanet/detection/targets.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/network/retinanet.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

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

/// A training step with blank pictures, on a thread without work space from elsewhere; returns the number of
/// parameters.
std::int64_t step_of(const Config& config, int images, int side) {
  cpu::reset_peak_bytes();
  const RetinaNet model(config, 2);
  Sgd optimizer(group_by_decay(model.parameters(), {}), {});
  Batch batch;
  batch.images = images;
  batch.offsets.assign(static_cast<std::size_t>(images) + 1, 0);
  Tape tape;
  const RetinaNet::Output output = model(Variable(Tensor::zeros({images, side, side, 3})));
  const AnchorTargets targets = make_targets(config, output.grid, batch);
  const Losses losses =
      detection_losses(config, 2, output.logits, output.deltas, targets, Normaliser(config.loss).scale(targets));
  tape.backward({losses.classification, losses.box});
  optimizer.step(0.1f);
  return optimizer.parameter_count();
}

}  // namespace

TEST_CASE("the expected loss follows from the prior and the loss") {
  Config config = preset("small");
  const AnchorTargets targets = hand_made_targets(config);
  const double anchors = static_cast<double>(targets.grid.size()), p = config.model.prior.values[0];
  const Tensor scale = Tensor::from({2}, std::vector<float>{0.25f, 0.5f});

  // The paper's sanity numbers: 1.128382 a positive, 7.53775e-7 a negative logit.
  const double focal = 0.25 * (4 * 1.128382 + ((anchors - 10) * 3 - 4) * 7.53775e-7) + 0.5 * anchors * 3 * 7.53775e-7;
  REQUIRE(expected_classification_loss(config, 3, targets, scale) == Approx(focal).epsilon(1e-4));

  config.loss.kind = CeLoss{};
  config.loss.classification_weight = 2;
  const double entropy =
      0.25 * (-4 * std::log(p) - ((anchors - 10) * 3 - 4) * std::log(1 - p)) - 0.5 * anchors * 3 * std::log(1 - p);
  REQUIRE(expected_classification_loss(config, 3, targets, scale) == Approx(2 * entropy).epsilon(1e-4));

  set_config(config, "loss.class_weights=[3, 3, 3]");
  REQUIRE(expected_classification_loss(config, 3, targets, scale) ==
          Approx(2 * (entropy + 0.25 * -4 * 2 * std::log(p))).epsilon(1e-4));
}

TEST_CASE("the untrained network starts at the expected loss") {
  const Dataset dataset = boxes_of(64, 64);
  for (const std::string setting : {"loss.gamma=2",
                                    "loss.gamma=0.5",
                                    "loss.normaliser=image",
                                    "loss.normaliser=ema",
                                    "model.prior=0.1",
                                    "model.prior=[0.1, 0.01]",
                                    "loss.alpha=0.75",
                                    "loss.kind=ce",
                                    "loss.kind=balanced_ce",
                                    "loss.kind=focal_star:beta=-1",
                                    "loss.kind=hinge:margin=0.9",
                                    "loss.kind=ohem",
                                    "loss.kind=ohem13",
                                    "loss.kind=poly",
                                    "loss.kind=asymmetric",
                                    "loss.kind=quality_focal",
                                    "loss.kind=varifocal",
                                    "loss.kind=ghm",
                                    "loss.kind=equalized_focal",
                                    "loss.classification_weight=guided"}) {
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

TEST_CASE("the predicted memory is that of a step", "[thorough]") {
  const int threads = thread_count();
  set_thread_count(1);
  for (const auto& [side, images] : {std::pair{64, 6}, std::pair{320, 2}}) {  // the larger is measured at 256 x 256
    Config config = preset("small");
    config.input.max_size = side;
    config.train.batch_size = images;
    const StepMemory memory = step_memory(config, boxes_of(side, side - 4), 0);
    REQUIRE(memory.width == side);
    REQUIRE(memory.height == side);

    const std::size_t before = cpu::allocated_bytes();
    const std::int64_t parameters = std::async(std::launch::async, step_of, config, images, side).get();
    const double measured = static_cast<double>(cpu::peak_bytes() - before);
    INFO(side << ": " << memory.predicted << " predicted, " << measured << " measured");
    REQUIRE(memory.parameters == parameters);
    REQUIRE(std::fabs(static_cast<double>(memory.predicted) - measured) < 0.1 * measured);
  }
  set_thread_count(threads);
}

TEST_CASE("every thread's work space and the loader's batches are counted", "[thorough]") {
  const Config config = preset("small");
  const int threads = thread_count();
  set_thread_count(1);
  const StepMemory one = step_memory(config, boxes_of(64, 60), 1000);
  set_thread_count(3);
  const StepMemory three = step_memory(config, boxes_of(64, 60), 1000);
  REQUIRE(thread_count() == 3);
  set_thread_count(threads);
  REQUIRE(three.fixed > one.fixed);
  REQUIRE(one.loader == 1000 + (config.train.workers + 1) * config.train.batch_size * 64 * 64 * 3 * 4);
}

TEST_CASE("the memory of a step is known from its shapes alone") {
  for (const std::string loss : {"focal", "ohem"}) {
    Config config = preset("small");
    set_config(config, "loss.kind=" + loss);
    if (loss == "focal") {
      const StepMemory computed = step_memory(config, boxes_of(64, 60), 0);
      const StepMemory shapes = step_memory(config, boxes_of(64, 60), 0, DryRun::shapes_only);
      CHECK(shapes.parameters == computed.parameters);
      CHECK(shapes.predicted <= computed.predicted);
      CHECK(static_cast<double>(shapes.predicted) > 0.5 * static_cast<double>(computed.predicted));
      CHECK(shapes.per_pixel == Approx(computed.per_pixel).epsilon(0.2));
    }
    const AvailableMemory plenty{std::int64_t{1} << 40, "the machine"};
    CHECK_NOTHROW(check_memory(config, boxes_of(64, 60), plenty));
    config.train.batch_size = 60000;
    CHECK_NOTHROW(check_memory(config, boxes_of(64, 60), plenty));
    const std::string message = error_of([&] {
      check_memory(config, boxes_of(64, 60), {std::int64_t{1} << 30, "the control group"});
    });
    CHECK(message.starts_with("a training step needs about "));
    CHECK(message.find(" MiB (60000 pictures of 64x64 and 2 loader threads), and the control group has 1024 MiB left: "
                       "lower train.batch_size") != std::string::npos);
    Dataset unknown = boxes_of(64, 60);
    for (ImageRecord& image : unknown.images) image.width = image.height = 0;
    CHECK_NOTHROW(check_memory(config, unknown, {1, "the machine"}));
  }
}
