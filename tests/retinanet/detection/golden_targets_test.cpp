// Anchors, matching, encoded targets and losses against torchvision (tests/golden).
#include "retinanet/config/presets.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/detection/targets.h"
#include "tests/retinanet/golden.h"
#include "tests/retinanet/support.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"

using namespace diopter;
using test::Fixture;

namespace {

constexpr int kHeight = 256, kWidth = 320;  // of the input whose anchors are matched

std::vector<float> anchors_of(const Config& config, int height, int width) {
  const AnchorGrid grid = anchors_for_levels(config, pyramid_levels(config.model, 1, width, height), width, height);
  std::vector<float> boxes(static_cast<std::size_t>(4 * grid.size()));
  cpu::generate_anchors(grid, boxes.data());
  return boxes;
}

/// Targets of pictures whose boxes are the fixture's scenes; the class of a box is (5 i + 2) mod classes.
AnchorTargets match_scenes(const Fixture& fixture, const Config& config, const std::vector<std::string>& scenes,
                           int classes, Device device) {
  Batch batch;
  batch.images = static_cast<int>(scenes.size());
  batch.offsets = {0};
  for (const std::string& scene : scenes) {
    const std::vector<float> boxes = fixture.floats(scene + ".boxes");
    batch.boxes.insert(batch.boxes.end(), boxes.begin(), boxes.end());
    for (std::size_t i = 0; i < boxes.size() / 4; ++i) batch.labels.push_back(static_cast<int>(5 * i + 2) % classes);
    batch.offsets.push_back(static_cast<std::int32_t>(batch.labels.size()));
  }
  const Levels levels = pyramid_levels(config.model, batch.images, kWidth, kHeight);
  return make_targets(config, anchors_for_levels(config, levels, kWidth, kHeight), batch, device);
}

/// A head's output for three images of 9 cells, as losses.py draws it.
Pyramid head_output(const std::string& kind, int values, double centre, double spread, Device device) {
  const Levels levels = pyramid_levels(preset("torchvision").model, 3, kWidth, kHeight);
  std::vector<float> all;
  for (int l = 0; l < levels.count; ++l) {
    const std::size_t count = static_cast<std::size_t>(levels.level[l].rows()) * 9 * values;
    const std::vector<float> level = test::formula("losses." + kind + "." + std::to_string(l), count, centre, spread);
    all.insert(all.end(), level.begin(), level.end());
  }
  return {Variable(Tensor::from({levels.rows(), 9 * values}, all, device), true), levels};
}

}  // namespace

TEST_CASE("golden: anchors of all levels have torchvision's and Detectron2's bits") {
  const Fixture fixture("anchors");
  for (const std::string preset_name : {"torchvision", "torchvision_v2", "detectron2"}) {
    const std::string rule = preset_name == "detectron2" ? "detectron2" : "torchvision";
    for (const auto& [height, width] : {std::pair{800, 1088}, {800, 1344}, {640, 640}}) {
      const std::string name = rule + "." + std::to_string(height) + "x" + std::to_string(width);
      INFO(name);
      const std::vector<float> anchors = anchors_of(preset(preset_name), height, width);
      const nlohmann::json& expected = fixture.scalars().at(name);
      CHECK(anchors.size() / 4 == expected.at("count"));
      CHECK(test::checksum(anchors.data(), anchors.size()) == expected.at("checksum"));
    }
  }
}

TEST_CASE("golden: labels of anchors are torchvision's") {
  const Fixture fixture("matching");
  const Device device = GENERATE(from_range(test::devices()));
  const int classes = 100;  // more than boxes, so that the class tells the box
  for (const std::string rule : {"low_quality", "paper"}) {
    const Config config =
        test::configured("torchvision", {rule == "paper" ? "match.low_quality=false" : "match.low_quality=true"});
    for (const std::string scene : {"scattered", "duplicates", "ties", "tiny", "long", "crowded", "empty"}) {
      INFO(scene << " " << rule << " " << test::device_name(device));
      const AnchorTargets targets = match_scenes(fixture, config, {scene}, classes, device);
      const auto named = fixture.integers(scene + "." + rule + ".anchors");
      const auto of_box = fixture.integers(scene + "." + rule + ".matches");
      std::vector<std::int32_t> labels(static_cast<std::size_t>(targets.grid.size()), kBackground);
      std::vector<std::int32_t> matches(labels.size(), -1);
      int positives = 0;
      for (std::size_t i = 0; i < named.size(); ++i) {
        const std::int32_t box = of_box[i];
        labels[named[i]] = box >= 0 ? (5 * box + 2) % classes : kIgnore;
        if (box >= 0) matches[named[i]] = box, ++positives;
      }
      CHECK((targets.labels.to_vector<std::int32_t>() == labels));
      CHECK((targets.matches.to_vector<std::int32_t>() == matches));
      CHECK((targets.positives.to_vector<std::int32_t>() == std::vector<std::int32_t>{positives}));
    }
  }
}

TEST_CASE("golden: encoded targets") {
  const Fixture fixture("matching");
  const std::vector<float> anchors = anchors_of(preset("torchvision"), kHeight, kWidth);
  for (const std::string scene : {"scattered", "duplicates", "ties", "tiny", "long", "crowded"}) {
    INFO(scene);
    const auto named = fixture.integers(scene + ".encoded.anchors"),
               of_box = fixture.integers(scene + ".encoded.boxes");
    const std::vector<float> boxes = fixture.floats(scene + ".boxes"),
                             wanted = fixture.floats(scene + ".encoded.targets");
    std::vector<float> encoded(wanted.size());
    for (std::size_t i = 0; i < named.size(); ++i) {
      encode_box({}, box_at(anchors.data(), named[i]), box_at(boxes.data(), of_box[i]), &encoded[4 * i]);
    }
    test::require_close(encoded, wanted, test::Tolerance::elementwise);
  }
}

TEST_CASE("golden: losses and their gradients") {
  struct Case {
    std::string name;
    std::vector<std::string> settings;
    bool classification;
  };
  const Case c = GENERATE(Case{"focal", {}, true}, Case{"cross_entropy", {"loss.gamma=0", "loss.alpha=-1"}, true},
                          Case{"focal_half", {"loss.gamma=0.5", "loss.alpha=0.5"}, true}, Case{"l1", {}, false},
                          Case{"smooth_l1", {"loss.box=smooth_l1", "loss.smooth_l1_beta=0.1111111111111111"}, false},
                          Case{"giou", {"loss.box=giou"}, false}, Case{"diou", {"loss.box=diou"}, false},
                          Case{"ciou", {"loss.box=ciou"}, false});
  const Device device = GENERATE(from_range(test::devices()));
  INFO(c.name << " " << test::device_name(device));
  const int classes = 7;
  const Fixture scenes("matching"), fixture("losses");
  const Config config = test::configured("torchvision", c.settings);
  const AnchorTargets targets = match_scenes(scenes, config, {"scattered", "empty", "crowded"}, classes, device);
  const Pyramid logits = head_output("logits", classes, -2, 6, device), deltas = head_output("deltas", 4, 0, 1, device);

  Tape tape;
  Normaliser normaliser(config.loss, device);
  const Losses losses = detection_losses(config, classes, logits, deltas, targets, normaliser.scale(targets));
  const Variable& loss = c.classification ? losses.classification : losses.box;
  const double expected = fixture.scalars().at(c.name).at("loss");
  test::show_difference(c.name, std::fabs(static_cast<double>(loss.value().item()) / expected - 1));
  CHECK(loss.value().item() == Approx(expected).epsilon(1e-6));
  tape.backward({loss});
  const Variable& input = c.classification ? logits.rows : deltas.rows;
  fixture.require_close(c.name + ".gradient", input.gradient()->tensor().to_vector<float>(), 5e-6);
}

TEST_CASE("golden: the paper's and Detectron2's normalisers") {
  const int classes = 7;
  const Fixture scenes("matching"), fixture("losses");
  const AnchorTargets targets =
      match_scenes(scenes, preset("torchvision"), {"scattered", "empty", "crowded"}, classes, Device::cpu);
  const Pyramid logits = head_output("logits", classes, -2, 6, Device::cpu);
  const Pyramid deltas = head_output("deltas", 4, 0, 1, Device::cpu);
  CHECK((targets.positives.to_vector<std::int32_t>() ==
         fixture.scalars().at("positives").get<std::vector<std::int32_t>>()));
  const auto require_losses = [&](const Config& config, Normaliser& normaliser, const nlohmann::json& expected) {
    const Losses losses = detection_losses(config, classes, logits, deltas, targets, normaliser.scale(targets));
    CHECK(losses.classification.value().item() == Approx(expected.at("classification").get<double>()).epsilon(1e-6));
    CHECK(losses.box.value().item() == Approx(expected.at("box").get<double>()).epsilon(1e-6));
  };
  const Config paper = test::configured("paper", {"loss.box=l1"}), detectron2 = preset("detectron2");
  Normaliser of_batch(paper.loss), moving(detectron2.loss);
  require_losses(paper, of_batch, fixture.scalars().at("batch"));
  for (const nlohmann::json& step : fixture.scalars().at("ema")) require_losses(detectron2, moving, step);
}
