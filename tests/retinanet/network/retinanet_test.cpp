// Pyramid, heads and the whole detector: names, sizes, initial values.
#include <cmath>
#include <set>

#include "engine/files/checkpoint.h"
#include "retinanet/config/presets.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/retinanet.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

using namespace diopter;
using test::configured;
using test::contains;

namespace {

/// As torchvision counts: a frozen batch norm's affine part is no parameter there.
std::int64_t torchvision_count(const RetinaNet& model) {
  const bool frozen = model.config().model.norm == NormKind::frozen_batch;
  std::int64_t count = 0;
  for (const NamedParameter& p : model.parameters()) {
    const bool norm = contains(p.name, ".bn") || contains(p.name, "downsample.1");
    if (!(frozen && norm)) count += p.variable.value().size();
  }
  return count;
}

std::set<std::string> names_of(const Module& module) {
  std::set<std::string> names;
  for (const NamedBuffer& t : model_state(module)) names.insert(t.name);
  return names;
}

Variable picture(int images, int height, int width) {
  const std::size_t size = std::size_t{3} * images * height * width;
  return Variable(Tensor::from({images, height, width, 3}, test::uniform(size, -2, 2, 1)));
}

Shape shape_of(const RetinaNet& model, const std::string& name) {
  for (const NamedParameter& p : model.parameters()) {
    if (p.name == name) return p.variable.shape();
  }
  return {};
}

}  // namespace

TEST_CASE("torchvision's RetinaNet: names and number of parameters") {
  const RetinaNet model(preset("torchvision"), 91);
  CHECK(torchvision_count(model) == 34014999);
  const std::set<std::string> names = names_of(model);
  for (const char* name : {"backbone.body.conv1.weight",
                           "backbone.body.bn1.weight",
                           "backbone.body.bn1.bias",
                           "backbone.body.bn1.running_mean",
                           "backbone.body.bn1.running_var",
                           "backbone.body.layer1.0.conv1.weight",
                           "backbone.body.layer1.0.bn3.running_var",
                           "backbone.body.layer1.0.downsample.0.weight",
                           "backbone.body.layer1.0.downsample.1.running_mean",
                           "backbone.body.layer2.3.conv2.weight",
                           "backbone.body.layer3.5.conv3.weight",
                           "backbone.body.layer4.2.bn2.bias",
                           "backbone.fpn.inner_blocks.0.0.weight",
                           "backbone.fpn.inner_blocks.2.0.bias",
                           "backbone.fpn.layer_blocks.1.0.weight",
                           "backbone.fpn.extra_blocks.p6.weight",
                           "backbone.fpn.extra_blocks.p7.bias",
                           "head.classification_head.conv.0.0.weight",
                           "head.classification_head.conv.3.0.bias",
                           "head.classification_head.cls_logits.weight",
                           "head.classification_head.cls_logits.bias",
                           "head.regression_head.conv.2.0.weight",
                           "head.regression_head.bbox_reg.weight"}) {
    INFO(name);
    CHECK(names.count(name) == 1);
  }
  // 53 convolutions of the body with 5 tensors each; 3 + 3 + 2 of the pyramid and 5 + 5 of the heads with 2 each.
  CHECK(names.size() == 53 * 5 + 18 * 2);
  CHECK(shape_of(model, "backbone.body.conv1.weight") == Shape{64, 7, 7, 3});
  CHECK(shape_of(model, "backbone.body.layer4.0.downsample.0.weight") == Shape{2048, 1, 1, 1024});
  CHECK(shape_of(model, "backbone.fpn.inner_blocks.2.0.weight") == Shape{256, 1, 1, 2048});
  CHECK(shape_of(model, "backbone.fpn.extra_blocks.p6.weight") == Shape{256, 3, 3, 256});
  CHECK(shape_of(model, "head.classification_head.cls_logits.weight") == Shape{819, 3, 3, 256});
  CHECK(shape_of(model, "head.regression_head.bbox_reg.weight") == Shape{36, 3, 3, 256});
}

TEST_CASE("torchvision's second RetinaNet: number of parameters") {
  const RetinaNet model(preset("torchvision_v2"), 91);
  CHECK(torchvision_count(model) == 38198935);
  const std::set<std::string> names = names_of(model);
  CHECK(names.count("head.classification_head.conv.0.1.weight") == 1);
  CHECK(names.count("head.regression_head.conv.3.1.bias") == 1);
  CHECK(names.count("head.classification_head.conv.0.0.bias") == 0);
  CHECK(shape_of(model, "backbone.fpn.extra_blocks.p6.weight") == Shape{256, 3, 3, 2048});
}

TEST_CASE("frozen stages need no gradients, everything else gets some") {
  for (int stages = 0; stages <= 5; ++stages) {
    const Config config =
        configured("small", {"model.norm=batch", "model.max_level=5", "model.freeze_stages=" + std::to_string(stages)});
    const RetinaNet model(config, 2);
    Tape tape;
    const RetinaNet::Output output = model(picture(2, 32, 32));
    tape.backward({sum(output.logits.rows), sum(output.deltas.rows)});
    for (const NamedParameter& p : model.parameters()) {
      INFO(p.name << " with " << stages << " frozen stages");
      bool frozen = stages >= 1 && (contains(p.name, "body.conv1") || contains(p.name, "body.bn1"));
      for (int layer = 1; layer < stages; ++layer) frozen |= contains(p.name, "body.layer" + std::to_string(layer));
      CHECK(p.variable.requires_gradient() == !frozen);
      if (!frozen) CHECK(p.variable.gradient()->tensor().defined());
    }
  }
}

TEST_CASE("running statistics of frozen stages stay as they are") {
  const RetinaNet model(configured("small", {"model.norm=batch", "model.freeze_stages=2"}), 2);
  model(picture(2, 32, 32));
  for (const NamedBuffer& b : model.buffers()) {
    if (!contains(b.name, "running_mean")) continue;
    INFO(b.name);
    const bool frozen = contains(b.name, "body.bn1") || contains(b.name, "body.layer1");
    const std::vector<float> mean = b.tensor.to_vector<float>();
    CHECK((mean == std::vector<float>(mean.size(), 0.0f)) == frozen);
  }
}

TEST_CASE("P6 is made of P5 or of C5") {
  // What is made of C5 does not change when P5's own convolution does.
  const auto p6_follows_p5 = [](const std::string& from) {
    const Config config = configured("torchvision", {"model.fpn_channels=8", "model.p6_from=" + from});
    InitRandom random(1);
    const Fpn fpn(config.model, {4, 4, 4}, random);
    std::vector<Variable> maps;
    for (int size : {8, 4, 2}) {
      maps.push_back(Variable(Tensor::from({1, size, size, 4}, test::uniform(4 * size * size, -1, 1, 5))));
    }
    const Pyramid before = fpn(maps);
    const std::vector<float> p6 = before.level(3).to_vector<float>(), p4 = before.level(1).to_vector<float>();
    for (const NamedParameter& p : fpn.parameters()) {
      if (p.name == "layer_blocks.2.0.bias") p.variable.value().copy_from(Tensor::full({8}, 1.0f));
    }
    const Pyramid after = fpn(maps);
    CHECK((after.level(1).to_vector<float>() == p4));
    return after.level(3).to_vector<float>() != p6;
  };
  CHECK(p6_follows_p5("p5"));
  CHECK(!p6_follows_p5("c5"));
}

TEST_CASE("the head starts with the prior's probability and predicts the initial loss") {
  CHECK(prior_bias(0.01) == Approx(-4.59511985));
  const int classes = 20;
  const Config config = configured("torchvision", {"model.backbone=resnet18", "model.norm=group"});
  const RetinaNet model(config, classes);
  const RetinaNet::Output output = model(picture(2, 64, 64));
  for (float logit : output.logits.rows.value().to_vector<float>()) {
    REQUIRE(1 / (1 + std::exp(-static_cast<double>(logit))) == Approx(0.01).epsilon(0.2));
  }
  for (float delta : output.deltas.rows.value().to_vector<float>()) REQUIRE(std::fabs(delta) < 0.2f);

  Batch batch;
  batch.images = 2;
  batch.boxes = {4, 6, 40, 44, 30, 20, 62, 60, 10, 10, 30, 26};
  batch.labels = {3, 7, 0};
  batch.offsets = {0, 2, 3};
  const AnchorTargets targets = make_targets(config, output.grid, batch);
  Normaliser normaliser(config.loss);
  const Tensor scale = normaliser.scale(targets);
  const Losses losses = detection_losses(config, classes, output.logits, output.deltas, targets, scale);

  // With p = .01 everywhere a positive costs 1.128382 and a negative logit 7.53775e-7 (alpha .25, gamma 2).
  const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
  const std::vector<float> weights = scale.to_vector<float>();
  double expected = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double weight = static_cast<double>(weights[i / static_cast<std::size_t>(output.grid.size())]);
    if (labels[i] >= 0) expected += weight * (1.128382 + 7.53775e-7 * (classes - 1));
    if (labels[i] == kBackground) expected += weight * 7.53775e-7 * classes;
  }
  CHECK(losses.classification.value().item() == Approx(expected).epsilon(0.05));
  CHECK(expected > 1.128382);
}

TEST_CASE("the initial weights depend on the seed alone") {
  const auto weights = [](int seed) {
    const RetinaNet model(test::tiny_config({"train.seed=" + std::to_string(seed)}), 2);
    std::vector<float> all;
    for (const NamedParameter& p : model.parameters()) {
      const std::vector<float> values = p.variable.value().to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  const std::vector<float> first = weights(1);
  CHECK((weights(1) == first));
  CHECK((weights(2) != first));
}
