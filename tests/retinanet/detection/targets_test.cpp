#include "retinanet/detection/targets.h"

#include <algorithm>
#include <map>

#include "kernels/detection/losses/ce.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/network/retinanet.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

AnchorTargets with_positives(const std::vector<std::int32_t>& positives) {
  AnchorTargets targets;
  targets.positives = Tensor::from({static_cast<std::int64_t>(positives.size())}, positives);
  return targets;
}

Normaliser normaliser(const std::string& rule) {
  return Normaliser(test::configured("detectron2", {"loss.normaliser=" + rule}).loss);
}

std::vector<float> scale(Normaliser& n, const std::vector<std::int32_t>& positives) {
  return n.scale(with_positives(positives)).to_vector<float>();
}

}  // namespace

TEST_CASE("normaliser image: positives of the image, mean over the images") {
  Normaliser n = normaliser("image");
  CHECK(scale(n, {5, 0, 2, 1}) == std::vector<float>{1 / 20.0f, 1 / 4.0f, 1 / 8.0f, 1 / 4.0f});
  CHECK(n.positives().item() == 8);
}

TEST_CASE("normaliser batch: positives of the batch") {
  Normaliser n = normaliser("batch");
  CHECK(scale(n, {5, 0, 3}) == std::vector<float>{0.125f, 0.125f, 0.125f});
  CHECK(scale(n, {0, 0}) == std::vector<float>{1, 1});
  CHECK(n.positives().item() == 0);
}

TEST_CASE("normaliser ema: moving average of the positives, from 100 with momentum .9") {
  Normaliser n = normaliser("ema");
  CHECK(scale(n, {30, 20})[0] == Approx(1 / 95.0));
  CHECK(n.average() == Approx(95));
  CHECK(scale(n, {0})[0] == Approx(1 / 85.6));  // an empty batch counts as one positive
  CHECK(n.average() == Approx(85.6));
  n.set_average(10);
  CHECK(scale(n, {10})[0] == Approx(0.1));
  CHECK(n.positives().item() == 10);
}

TEST_CASE("anchors within a crowd are ignored, objects are assigned by the configured thresholds") {
  // Cells of 16 x 16 that tile a picture of 64 x 16.
  const Config config = test::configured(
      "small", {"model.min_level=4", "model.max_level=4", "anchors.size_factor=1", "anchors.scales=[1]",
                "anchors.ratios=[1]", "anchors.offset=0.5", "match.low_quality=false"});
  const AnchorGrid grid = anchors_for_levels(config, pyramid_levels(config.model, 2, 64, 16), 64, 16);
  REQUIRE(grid.size() == 4);
  Batch batch;
  batch.images = 2;
  batch.boxes = {0,  0,  16, 15, 16, 0,
                 41, 16, 0,  0,  1,  1};  // an object, a crowd over anchor 1 and 9/16 of anchor 2; tiny
  batch.labels = {6, kIgnore, 2};
  batch.offsets = {0, 2, 3};
  const auto labels = [&](const Config& c) { return make_targets(c, grid, batch).labels.to_vector<std::int32_t>(); };
  const int bg = kBackground, ig = kIgnore;
  CHECK(labels(config) == std::vector<std::int32_t>{6, ig, ig, bg, bg, bg, bg, bg});

  Config other = config;
  other.match.ignore_overlap = 0.6;
  CHECK(labels(other) == std::vector<std::int32_t>{6, ig, bg, bg, bg, bg, bg, bg});
  other.match.low_quality = true;
  CHECK(labels(other) == std::vector<std::int32_t>{6, ig, bg, bg, 2, bg, bg, bg});
  other.match.foreground_iou = 0.95;  // the object's IoU is 15/16: left to the low-quality rule
  CHECK(labels(other)[0] == 6);
  other.match.low_quality = false;
  CHECK(labels(other)[0] == ig);
  other.match.background_iou = 0.95;
  CHECK(labels(other)[0] == bg);
  CHECK(make_targets(config, grid, batch).positives.to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0});

  // By ATSS: of the IoUs 15/16, 0 and 0 the first reaches mean plus deviation; no anchor has its centre in the tiny
  // box.
  other = config;
  other.match.rule = MatchKind::atss;
  other.match.candidates = 3;
  CHECK(labels(other) == std::vector<std::int32_t>{6, ig, ig, bg, bg, bg, bg, bg});
}

TEST_CASE("losses follow the configuration's kinds and weights") {
  const Config config = test::tiny_config({"loss.box=l1"});
  const RetinaNet model(config, 2);
  const RetinaNet::Output output = model(Variable(Tensor::full({1, 32, 32, 3}, 0.5f)));
  Batch batch;
  batch.images = 1;
  batch.boxes = {3, 4, 20, 25};
  batch.labels = {1};
  batch.offsets = {0, 1};
  const AnchorTargets targets = make_targets(config, output.grid, batch);
  const auto losses = [&](const std::vector<std::string>& settings) {
    const Config c = test::tiny_config(settings);
    Normaliser n(c.loss);
    const Losses l = detection_losses(c, 2, output.logits, output.deltas, targets, n.scale(targets));
    return std::pair{l.classification.value().item(), l.box.value().item()};
  };
  const auto [classification, box] = losses({"loss.box=l1"});
  CHECK(classification > 0);
  CHECK(box > 0);
  const auto weighted = losses({"loss.box=l1", "loss.classification_weight=3", "loss.box_weight=0.5"});
  CHECK(weighted.first == Approx(3 * classification));
  CHECK(weighted.second == Approx(0.5 * box));
  const auto guided = losses({"loss.box=l1", "loss.classification_weight=guided", "loss.box_weight=0.5"});
  CHECK(guided.first == Approx(0.5 * box));
  CHECK(guided.second == Approx(0.5 * box));
  CHECK(losses({"loss.box=smooth_l1", "loss.smooth_l1_beta=0"}).second == Approx(box));
  CHECK(losses({"loss.kind=ce"}).first > 3 * classification);
  CHECK(losses({"loss.gamma=0", "loss.alpha=-1"}).first == losses({"loss.kind=ce"}).first);

  // Hard examples: the mean over those that are selected; boxes are learned from all positives as before.
  const Config ohem = test::tiny_config({"loss.kind=ohem:batch=5,nms=0.3", "loss.box=l1"});
  const AnchorTargets hard =
      classification_targets(ohem, 2, output.logits, output.deltas, targets, Tensor::full({1}, 1)).anchors;
  const std::vector<std::int32_t> labels = hard.labels.to_vector<std::int32_t>();
  CHECK(std::count(labels.begin(), labels.end(), kIgnore) == static_cast<std::ptrdiff_t>(labels.size()) - 5);
  const auto mined = losses({"loss.kind=ohem:batch=5,nms=0.3", "loss.box=l1"});
  const Variable mean = classification_loss(output.logits, 2, hard, Tensor::full({1}, 0.2f), CeLoss{});
  CHECK(mined.first == Approx(mean.value().item()));
  CHECK(mined.second == box);

  // Of a picture, what is selected in it; of a batch, in all of it. The second picture is a crowd: nothing to select.
  batch.images = 2;
  batch.boxes.insert(batch.boxes.end(), {-500, -500, 500, 500});
  batch.labels.push_back(kIgnore);
  batch.offsets.push_back(2);
  const RetinaNet::Output two = model(Variable(Tensor::full({2, 32, 32, 3}, 0.5f)));
  const auto scales = [&](const std::string& rule) {
    const Config c = test::tiny_config({"loss.kind=ohem:batch=5,nms=0.3", "loss.normaliser=" + rule});
    const AnchorTargets of_two = make_targets(c, two.grid, batch);
    return classification_targets(c, 2, two.logits, two.deltas, of_two, Tensor::full({2}, 1)).scale.to_vector<float>();
  };
  CHECK(scales("image") == std::vector<float>{0.1f, 0.5f});
  CHECK(scales("batch") == std::vector<float>{0.2f, 0.2f});
  CHECK(scales("ema") == std::vector<float>{0.2f, 0.2f});

  std::vector<float> kinds;
  for (const char* kind : {"l1", "smooth_l1", "giou", "diou", "ciou"}) {
    kinds.push_back(losses({std::string("loss.box=") + kind, "loss.smooth_l1_beta=1"}).second);
  }
  std::sort(kinds.begin(), kinds.end());
  CHECK(std::adjacent_find(kinds.begin(), kinds.end()) == kinds.end());
}

TEST_CASE("guided, the gradients are the classification loss's, scaled, and without positives there are none") {
  const RetinaNet model(test::tiny_config({}), 2);
  const RetinaNet::Output output = model(Variable(Tensor::full({1, 32, 32, 3}, 0.5f)));
  Batch batch;
  batch.images = 1;
  batch.boxes = {3, 4, 20, 25};
  batch.labels = {1};
  batch.offsets = {0, 1};
  struct Step {
    std::vector<float> logits, deltas;  // gradients
    double weight = 1;
  };
  const auto step = [&](const std::string& classification_weight) {
    const Config c = test::tiny_config({"loss.classification_weight=" + classification_weight});
    const Pyramid logits{Variable(output.logits.rows.value().clone(), true), output.logits.levels};
    const Pyramid deltas{Variable(output.deltas.rows.value().clone(), true), output.deltas.levels};
    const AnchorTargets targets = make_targets(c, output.grid, batch);
    Tape tape;
    const Losses losses = detection_losses(c, 2, logits, deltas, targets, Normaliser(c.loss).scale(targets));
    tape.backward({losses.classification, losses.box});
    Step result{logits.rows.gradient()->tensor().to_vector<float>(),
                deltas.rows.gradient()->tensor().to_vector<float>(), 1};
    if (losses.classification_weight.defined()) {
      result.weight = static_cast<double>(losses.classification_weight.item());
    }
    return result;
  };
  const Step plain = step("1"), guided = step("guided");
  CHECK(plain.weight == 1);
  CHECK(guided.weight > 0);
  CHECK(guided.weight != 1);
  CHECK(guided.deltas == plain.deltas);
  for (std::size_t i = 0; i < plain.logits.size(); ++i) {
    REQUIRE(guided.logits[i] ==
            Approx(guided.weight * static_cast<double>(plain.logits[i])).epsilon(1e-6).margin(1e-30));
  }

  batch.boxes.clear();
  batch.labels.clear();
  batch.offsets = {0, 0};
  const Step empty = step("guided");
  CHECK(empty.weight == 0);
  CHECK(empty.logits == std::vector<float>(empty.logits.size(), 0.0f));
}

TEST_CASE("losses with soft targets take the IoUs of the decoded boxes, without a gradient through them") {
  const RetinaNet model(test::tiny_config({}), 2);
  const RetinaNet::Output output = model(Variable(Tensor::full({1, 32, 32, 3}, 0.5f)));
  Batch batch;
  batch.images = 1;
  batch.boxes = {3, 4, 20, 25};
  batch.labels = {1};
  batch.offsets = {0, 1};
  for (const std::string kind : {"quality_focal", "varifocal", "focal"}) {
    INFO(kind);
    const Config c = test::tiny_config({"loss.kind=" + kind});
    const Pyramid deltas{Variable(output.deltas.rows.value().clone(), true), output.deltas.levels};
    const AnchorTargets targets = make_targets(c, output.grid, batch);
    const Tensor scale = Normaliser(c.loss).scale(targets);
    Tape tape;
    const Losses losses = detection_losses(c, 2, output.logits, deltas, targets, scale);
    REQUIRE(losses.qualities.defined() == (kind != "focal"));
    tape.backward({losses.classification});
    CHECK_FALSE(deltas.rows.gradient()->tensor().defined());
    if (kind == "focal") continue;
    const Tensor ones = Tensor::full(targets.labels.shape(), 1);
    const auto with = [&](const Tensor& qualities) {
      return classification_loss(output.logits, 2, targets, scale, c.loss.kind, {.qualities = qualities})
          .value()
          .item();
    };
    CHECK(losses.classification.value().item() == with(losses.qualities));
    CHECK(losses.classification.value().item() < with(ones));
    CHECK(with(ones) == Approx(with(Tensor())));
  }
}

TEST_CASE("a loss's memory goes on from what was kept, unless it has another size") {
  const auto state_of = [](const std::string& loss) {
    return LossState(test::configured("small", {"loss.kind=" + loss}).loss, 3);
  };
  using Memory = std::map<std::string, std::vector<float>>;
  const Memory bins{{"densities", {1, 2, 3, 4}}}, classes{{"class_gradients", {1, 2, 3, 4, 5, 6}}};
  CHECK(state_of("focal").memory().empty());
  LossState ghm = state_of("ghm:bins=4"), wider = state_of("ghm:bins=5"), equalized = state_of("equalized_focal");
  CHECK(ghm.memory() == Memory{{"densities", std::vector<float>(4)}});
  CHECK(equalized.memory() == Memory{{"class_gradients", std::vector<float>(6)}});
  for (LossState* state : {&ghm, &wider, &equalized}) state->set_memory(bins);
  CHECK(ghm.memory() == bins);
  CHECK(wider.memory() == Memory{{"densities", std::vector<float>(5)}});
  CHECK(equalized.memory() == Memory{{"class_gradients", std::vector<float>(6)}});
  equalized.set_memory(classes);
  CHECK(equalized.memory() == classes);
}
