#include "retinanet/detection/class_weights.h"

#include <cmath>

#include "retinanet/doctor/prior.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/annotated.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Classes with 6, 2 and 1 boxes; crowds and difficult ones beside them.
Dataset six_two_one() {
  Dataset dataset;
  dataset.categories = {{1, "many"}, {2, "some"}, {3, "one"}};
  dataset.images = {annotated("a", 64, 64, random_rects(8, 64, 64, 10, 30, 1, 3)),
                    annotated("b", 64, 64, random_rects(3, 64, 64, 10, 30, 1, 4))};
  std::vector<Annotation>& a = dataset.images[0].annotations;
  a[4].category = a[5].category = 1;
  a[6].category = 2, a[6].crowd = true;
  a[7].category = 2, a[7].difficult = true;
  dataset.images[1].annotations[2].category = 2;
  return dataset;
}

Config with(const std::string& setting) {
  Config config = preset("small");
  set_config(config, setting);
  check_config(config);
  return config;
}

std::vector<double> found(const Config& config) {
  const ClassWeights weights = with_class_weights(config, six_two_one()).loss.class_weights;
  CHECK(weights.rule == ClassWeightRule::stated);
  return weights.values;
}

}  // namespace

TEST_CASE("class weights: boxes that are learned from") {
  CHECK(boxes_of_classes(six_two_one()) == std::vector<std::int64_t>{6, 2, 1});
}

TEST_CASE("class weights: balanced is the inverse of the boxes, effective that of their effective number, mean 1") {
  const std::vector<double> balanced = found(with("loss.class_weights=balanced"));
  REQUIRE(balanced.size() == 3);
  const double sum = 1 / 6.0 + 1 / 2.0 + 1;
  CHECK(balanced[0] == Approx(3 / 6.0 / sum));
  CHECK(balanced[1] == Approx(3 / 2.0 / sum));
  CHECK(balanced[2] == Approx(3 / sum));

  for (const double beta : {0.5, 0.9, 0.999}) {
    Config config = with("loss.class_weights=effective");
    config.loss.effective_beta = beta;
    std::vector<double> expected;
    double total = 0;
    for (const int n : {6, 2, 1}) {
      expected.push_back((1 - beta) / (1 - std::pow(beta, n)));
      total += expected.back();
    }
    const std::vector<double> effective = found(config);
    for (int k = 0; k < 3; ++k) CHECK(effective[k] == Approx(3 * expected[k] / total).epsilon(1e-10));
  }
  Config limit = with("loss.class_weights=effective");
  limit.loss.effective_beta = 0;
  CHECK(found(limit) == std::vector<double>{1, 1, 1});
  limit.loss.effective_beta = 1 - 1e-12;
  const std::vector<double> nearly = found(limit);
  for (int k = 0; k < 3; ++k) CHECK(nearly[k] == Approx(balanced[k]).epsilon(1e-6));
}

TEST_CASE("class weights: numbers and none stay as they are") {
  CHECK(found(with("loss.class_weights=[1, 0, 2.5]")) == std::vector<double>{1, 0, 2.5});
  const Config none = with_class_weights(preset("small"), six_two_one());
  CHECK(none.loss.class_weights.rule == ClassWeightRule::none);
  CHECK(class_weights(none.loss.class_weights, 3).empty());
}

TEST_CASE("class weights: what is wrong is said in a line") {
  Dataset dataset = six_two_one();
  dataset.categories.push_back({4, "never"});
  CHECK(
      error_of([&] { with_class_weights(with("loss.class_weights=effective"), dataset); }) ==
      "loss.class_weights = effective: the training set has no box of class never, of 1 such classes: leave them out, "
      "or state a list of 4 weights");
  CHECK(contains(error_of([] { with("loss.class_weights=inverse"); }),
                 "must be a number, a list of numbers, none or balanced or effective"));
  CHECK(error_of([] { LossState(with("loss.class_weights=balanced").loss, 3); }) ==
        "loss.class_weights = balanced is found when training starts: here it must be a list of numbers");
  CHECK(error_of([] { LossState(with("loss.class_weights=[1, 2]").loss, 3); }) ==
        "loss.class_weights has 2 numbers, and there are 3 classes");
}

TEST_CASE("class weights: the balanced prior counts what positives weigh") {
  const Dataset dataset = six_two_one();
  const Config config = with("loss.class_weights=[3, 3, 3]");
  const AnchorMatches matches = match_pictures(config, dataset);
  CHECK(weighted_imbalance(config, matches) == Approx(imbalance(matches, 3) / 3));
  const Config uneven = with("loss.class_weights=[2, 0, 0]");
  CHECK(weighted_imbalance(uneven, matches) == Approx(3.0 * static_cast<double>(matches.background) /
                                                      (2.0 * static_cast<double>(matches.positives_of_class[0]))));
  Config balance = config;
  set_config(balance, "model.prior=balance");
  CHECK(with_prior(balance, dataset).model.prior.values[0] ==
        balanced_prior(config.loss.kind, imbalance(matches, 3) / 3));
}

TEST_CASE("class weights: a run trains with them, keeps them when it is resumed, and cannot lose them") {
  const ShapesOnDisk shapes;
  const auto run = [&](const std::string& name, const std::string& weights, int stop) {
    Config config = tiny_config({"loss.class_weights=" + weights, "train.iterations=6"});
    config.train.stop_at = stop;
    return Trainer(with_class_weights(config, shapes.train), shapes.train, {}, shapes.folder / name).run({}).iteration;
  };
  CHECK(run("whole", "balanced", 0) == 6);
  CHECK(run("none", "none", 0) == 6);
  CHECK(run("broken", "balanced", 3) == 3);
  auto resumed = Trainer::resume(shapes.folder / "broken", {}, shapes.train, {});
  CHECK(resumed->config().loss.class_weights.values.size() == shapes.train.categories.size());
  CHECK(resumed->run({}).iteration == 6);
  const auto bytes = [&](const std::string& name) { return read_bytes(last_checkpoint(shapes.folder / name)); };
  CHECK((bytes("broken") == bytes("whole")));
  CHECK((bytes("none") != bytes("whole")));

  const Config config = tiny_config({"loss.class_weights=[1, 2]"});
  const RetinaNet model(config, 2);
  const RetinaNet::Output output = model(Variable(Tensor::full({1, 32, 32, 3}, 0.5f)));
  Batch batch;
  batch.images = 1;
  batch.offsets = {0, 0};
  const AnchorTargets targets = make_targets(config, output.grid, batch);
  CHECK(error_of([&] { detection_losses(config, 2, output.logits, output.deltas, targets, Tensor::full({1}, 1)); }) ==
        "loss.class_weights of the configuration are not those that the loss is computed with");
}
