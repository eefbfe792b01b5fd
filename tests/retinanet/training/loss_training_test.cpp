// Training with every loss of the build's list.
#include <cmath>

#include "retinanet/config/loss_text.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

// The same two pictures in every step.
TEST_CASE("steps with any loss lower it") {
  test::ShapesOnDisk shapes;
  shapes.train.images.resize(2);
  for (const std::string& name : loss_names()) {
    INFO(name);
    const Config config = test::tiny_config({"loss.kind=" + name, "augment.flip=0", "train.iterations=25"});
    Trainer trainer(config, shapes.train, {}, shapes.folder / name);
    trainer.run({});
    const auto& losses = trainer.losses();
    REQUIRE(losses.size() == 25);
    for (const auto& step : losses) REQUIRE(std::isfinite(step[0]));
    INFO(losses.front()[0] << " became " << losses.back()[0]);
    CHECK(losses.back()[0] < 0.98 * losses.front()[0]);
  }
}

TEST_CASE("a run remembers its loss when it is resumed") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  Trainer(test::tiny_config({"loss.kind=focal_star:beta=-1", "train.iterations=4", "train.stop_at=2"}), shapes.train,
          {}, folder)
      .run({});
  auto resumed = Trainer::resume(folder, {}, shapes.train, {});
  CHECK(format_loss(resumed->config().loss.kind) == "focal_star:gamma=2,beta=-1,alpha=0.25");
  CHECK(resumed->run({}).iteration == 4);
  resumed.reset();
  const auto other = Trainer::resume(folder, {"loss.alpha=0.5", "loss.kind=focal_star"}, shapes.train, {});
  CHECK(format_loss(other->config().loss.kind) == "focal_star:gamma=2,beta=1,alpha=0.5");
}

TEST_CASE("guided, the classification loss is the box loss, and metrics.csv has its weight") {
  test::ShapesOnDisk shapes;
  shapes.train.images.resize(1);  // all batches of the first step are the same
  std::vector<double> first_weights;
  for (const int accumulate : {1, 2}) {
    const std::string folder = shapes.folder / ("guided" + std::to_string(accumulate));
    Trainer trainer(test::tiny_config({"loss.classification_weight=guided", "augment.flip=0", "train.batch_size=1",
                                       "train.iterations=5", "train.log_every=1",
                                       "train.accumulate=" + std::to_string(accumulate)}),
                    shapes.train, {}, folder);
    std::vector<double> weights;
    TrainerCallbacks callbacks;
    callbacks.step = [&](const StepReport& step) {
      REQUIRE(step.classification_weight);
      weights.push_back(*step.classification_weight);
      CHECK(step.box_loss > 0);
      CHECK(step.classification_loss == Approx(step.box_loss).epsilon(1e-6));
    };
    trainer.run(callbacks);
    const Points written = read_metrics(folder).over_iterations("classification_weight");
    REQUIRE(written.size() == 5);
    for (std::size_t i = 0; i < written.size(); ++i) {
      CHECK(weights[i] > 0);
      CHECK(written[i][1] == Approx(weights[i]).epsilon(1e-5));
    }
    first_weights.push_back(weights[0]);
  }
  CHECK(first_weights[1] == Approx(first_weights[0]).epsilon(1e-5));  // the mean of a step's batches
}
