// Training with every loss of the build's list.
#include <cmath>

#include "retinanet/config/loss_text.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/run_state.h"
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

TEST_CASE("what a loss remembers of gradients is the same after a resumption, and ghm begins anew with other bins") {
  const test::ShapesOnDisk shapes;
  const auto config = [](const std::string& loss, int stop) {
    return test::tiny_config(
        {"loss.kind=" + loss, "train.iterations=8", "train.accumulate=2", "train.stop_at=" + std::to_string(stop)});
  };
  const auto memory_of = [&](const std::string& name) {
    return parse_run_state(load_checkpoint(last_checkpoint(shapes.folder / name))).loss_memory;
  };
  for (const std::string loss : {"ghm:bins=12", "equalized_focal"}) {
    const std::string whole = loss.substr(0, 3) + "_whole", broken = loss.substr(0, 3) + "_broken";
    Trainer(config(loss, 0), shapes.train, {}, shapes.folder / whole).run({});
    Trainer(config(loss, 5), shapes.train, {}, shapes.folder / broken).run({});
    CHECK(Trainer::resume(shapes.folder / broken, {}, shapes.train, {})->run({}).iteration == 8);
    const auto bytes = [&](const std::string& name) { return test::read_bytes(last_checkpoint(shapes.folder / name)); };
    CHECK((bytes(broken) == bytes(whole)));
    // A stop between the two batches of a step takes back what the first has changed.
    const std::string cut = loss.substr(0, 3) + "_cut";
    Trainer trainer(config(loss, 0), shapes.train, {}, shapes.folder / cut);
    TrainerCallbacks stop;
    stop.stop_requested = [polled = 0]() mutable { return ++polled > 2 * 4 + 1; };
    CHECK(trainer.run(stop).iteration == 4);
    CHECK(trainer.run({}).iteration == 8);
    CHECK((bytes(cut) == bytes(whole)));
  }
  CHECK(memory_of("ghm_whole").at("densities").size() == 12);
  const std::vector<float> gradients = memory_of("equ_whole").at("class_gradients");
  REQUIRE(gradients.size() == 2 * shapes.train.categories.size());
  for (const float sum : gradients) CHECK(sum > 0);

  Trainer(config("ghm:bins=12", 5), shapes.train, {}, shapes.folder / "other").run({});
  CHECK(Trainer::resume(shapes.folder / "other", {"loss.bins=10"}, shapes.train, {})->run({}).iteration == 8);
  CHECK(memory_of("other").at("densities").size() == 10);
}

TEST_CASE("equalized_focal: the first step is the focal loss's, the second has an exponent for each class") {
  test::ShapesOnDisk shapes;
  shapes.train.images.resize(1);  // both steps see the same picture
  int runs = 0;
  const auto losses = [&](const std::string& loss) {
    Trainer trainer(
        test::tiny_config({"loss.kind=" + loss, "train.iterations=2", "train.optimizer=sgd", "train.lr=1e-9",
                           "train.batch_size=1", "augment.flip=0", "train.log_every=1", "model.prior=0.5"}),
        shapes.train, {}, shapes.folder / std::to_string(runs++));
    trainer.run({});
    return trainer.losses();
  };
  const auto focal = losses("focal"), equalized = losses("equalized_focal"), plain = losses("equalized_focal:scale=0");
  CHECK(equalized[0][0] == Approx(focal[0][0]).epsilon(1e-6));
  CHECK(plain[1][0] == Approx(focal[1][0]).epsilon(1e-6));
  // At 0.5 negatives have far more gradient than positives: nearly all of 8 is added to each exponent.
  CHECK(equalized[1][0] == Approx(focal[1][0] * 5 * std::pow(0.5, 8)).epsilon(0.1));
}

TEST_CASE("ghm: the sum of the weighted losses, whatever loss.normaliser says") {
  const test::ShapesOnDisk shapes;
  const auto first_loss = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> settings{"loss.kind=ghm", "train.iterations=1", "augment.flip=0"};
    settings.insert(settings.end(), more.begin(), more.end());
    Trainer trainer(test::tiny_config(settings), shapes.train, {}, shapes.folder / name);
    trainer.run({});
    return trainer.losses()[0][0];
  };
  const double loss = first_loss("batch", {});
  // Two bins, negatives at .01 and positives at .99, each with half of the mean of its cross-entropies, times 4: the
  // moving average of a first step is a quarter of the count.
  CHECK(loss == Approx(4 * 0.5 * (-std::log(0.01) - std::log(0.99))).epsilon(0.05));
  CHECK(first_loss("image", {"loss.normaliser=image"}) == loss);
  CHECK(first_loss("ema", {"loss.normaliser=ema"}) == loss);
  CHECK(first_loss("weight", {"loss.classification_weight=3"}) == Approx(3 * loss).epsilon(1e-6));
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
