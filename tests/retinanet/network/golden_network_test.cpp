// The network against torchvision in float64 (tests/golden): its input, backbones, pyramid, heads and detections.
#include <cmath>
#include <limits>
#include <memory>

#include "data/loader.h"
#include "data/pictures/resample.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/backbone.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/fpn.h"
#include "retinanet/network/input.h"
#include "tests/retinanet/golden.h"
#include "tests/retinanet/support.h"
#include "tests/support/devices.h"

using namespace diopter;
using test::Fixture;

namespace {

/// The formula's pictures (height, width) as evaluation prepares them.
Batch prepared(const Config& config, const std::string& name, const std::vector<std::pair<int, int>>& sizes) {
  const LoaderOptions options = loader_options(config);
  std::vector<Sample> samples;
  for (const auto& [height, width] : sizes) {
    const Image image =
        test::formula_picture(name + "." + std::to_string(height) + "x" + std::to_string(width), width, height);
    samples.push_back(prepare(image, {}, options.resize, options.normalisation));
  }
  return collate(samples, options.divisor);
}

Config with_sizes(const std::string& preset_name, int min_size, int max_size) {
  return test::configured(preset_name, {"input.min_sizes=[" + std::to_string(min_size) + "]",
                                        "input.max_size=" + std::to_string(max_size)});
}

/// The largest differences of detections from the reference's.
struct WorstDetection {
  double score = 0, box = 0;

  /// Requires the same number and labels as the fixture's PREFIXboxes, PREFIXscores and PREFIXlabels. Detections come
  /// in the order of their scores; those whose scores the tolerance cannot tell apart may have changed places.
  void require_same(const Fixture& fixture, const std::string& prefix, const std::vector<DetectedBox>& found,
                    const test::Convolutions& convolutions) {
    INFO("picture " << prefix);
    const std::vector<float> boxes = fixture.floats(prefix + "boxes"), scores = fixture.floats(prefix + "scores");
    const std::vector<std::int32_t> labels = fixture.integers(prefix + "labels");
    REQUIRE(!labels.empty());
    REQUIRE(found.size() == labels.size());
    std::vector<bool> taken(labels.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      INFO("detection " << i);
      const DetectedBox& d = found[i];
      double nearest = std::numeric_limits<double>::infinity(), its_score = 0;
      std::size_t match = labels.size();
      for (std::size_t j = 0; j < labels.size(); ++j) {
        const double score_off = std::fabs(double{d.score} - scores[j]);
        if (taken[j] || labels[j] != d.label || score_off > convolutions.score()) continue;
        const float corners[] = {d.box.x1, d.box.y1, d.box.x2, d.box.y2};
        double box_off = 0;
        for (int k = 0; k < 4; ++k) box_off = std::max(box_off, std::fabs(double{corners[k]} - boxes[4 * j + k]));
        if (box_off < nearest) nearest = box_off, its_score = score_off, match = j;
      }
      REQUIRE(match < labels.size());
      taken[match] = true;
      box = std::max(box, nearest);
      score = std::max(score, its_score);
    }
  }
  void check(const std::string& name, const test::Convolutions& convolutions) const {
    test::show_difference(name + ", " + convolutions.name() + ": scores", score);
    test::show_difference(name + ", " + convolutions.name() + ": boxes in pixels", box);
    CHECK(score <= convolutions.score());
    CHECK(box <= convolutions.box());
  }
};

}  // namespace

TEST_CASE("golden: pictures are resized, normalised and padded as torchvision does") {
  constexpr double kTolerance = 1e-6;
  const Fixture fixture("inputs");
  for (const auto& [name, entry] : fixture.scalars().items()) {
    if (!entry.is_object() || !entry.contains("case")) continue;
    INFO(name);
    const std::vector<int> c = entry.at("case");
    const Batch batch = prepared(with_sizes("torchvision", c[2], c[3]), "input", {{c[0], c[1]}});
    CHECK((std::vector<int>{batch.height, batch.width} == entry.at("padded").get<std::vector<int>>()));
    const std::vector<float> size = entry.at("resized");
    CHECK((batch.sizes == std::vector<float>{size[1], size[0]}));
    fixture.require_close(name, batch.pixels, kTolerance);
  }
  const Batch batch = prepared(with_sizes("torchvision", 200, 333), "input", {{120, 160}, {97, 130}});
  fixture.require_close("batch", batch.pixels, kTolerance);
}

TEST_CASE("golden: sizes of resized pictures by the rules of torchvision, old torchvision and Detectron2") {
  const Fixture inputs("inputs"), detectron2("detectron2");
  const auto require_sizes = [](const Fixture& fixture, const std::string& wanted, const Config& config) {
    const auto pictures = fixture.integers("sizes.pictures"), sizes = fixture.integers(wanted);
    REQUIRE(!pictures.empty());
    const ResizeRule rule = loader_options(config).resize;
    for (std::size_t i = 0; i < pictures.size(); i += 2) {
      int width = 0, height = 0;
      resized_size(rule, 800, pictures[i + 1], pictures[i], width, height);
      INFO(wanted << ": " << pictures[i] << " x " << pictures[i + 1]);
      REQUIRE(height == sizes[i]);
      REQUIRE(width == sizes[i + 1]);
    }
  };
  require_sizes(inputs, "sizes.float64", preset("torchvision"));
  require_sizes(inputs, "sizes.float32", test::configured("torchvision", {"input.float_scale=true"}));
  require_sizes(detectron2, "sizes.resized", preset("detectron2"));
}

TEST_CASE("golden: the preset detectron2 resizes pictures with Pillow's bits") {
  const Fixture fixture("detectron2");
  const Config config = preset("detectron2");
  ResizeRule rule = loader_options(config).resize;
  const Normalisation raw{.mean = {0, 0, 0}, .std = {1, 1, 1}, .divisor = 1, .bgr = false};
  struct Case {
    int height, width, new_height, new_width;
  };
  for (const Case c : {Case{24, 32, 40, 53}, {90, 131, 41, 60}, {30, 30, 47, 47}, {71, 23, 52, 17}}) {
    const std::string name = "pillow." + std::to_string(c.height) + "x" + std::to_string(c.width);
    INFO(name);
    const Image image = test::formula_picture(name, c.width, c.height);
    const std::vector<std::uint8_t> wanted = fixture.bytes(name);
    CHECK((resample(image, c.new_width, c.new_height).rgb == wanted));
    rule.min_sizes = {std::min(c.new_height, c.new_width)};
    const Sample sample = prepare(image, {}, rule, raw);
    REQUIRE(std::pair(sample.height, sample.width) == std::pair(c.new_height, c.new_width));
    CHECK((sample.pixels == std::vector<float>(wanted.begin(), wanted.end())));
  }
}

TEST_CASE("golden: feature maps of each backbone and the pyramid", "[thorough]") {
  const Device device = GENERATE(from_range(test::network_devices()));
  const std::string backbone = GENERATE(from_range(test::networks({"resnet18", "resnet34", "resnet50", "resnet101"})));
  const test::Convolutions convolutions(device == Device::cpu && GENERATE(true, false));
  INFO(backbone << " " << test::device_name(device) << " " << convolutions.name());
  const Fixture fixture("backbones");
  const Variable images(
      Tensor::from({2, 96, 136, 3}, test::formula("backbones.images", 2 * 96 * 136 * 3, 0, 2), device));
  InitRandom random(0);
  const auto require_close = [&](const std::string& name, const Variable& map) {
    fixture.require_close(backbone + "." + name, map.value().to_vector<float>(), convolutions.map());
  };

  const Config config = test::configured("torchvision", {"model.backbone=" + backbone});
  const std::unique_ptr<Backbone> body = make_backbone(config.model, 5, random);
  test::fill_weights(*body, {}, "backbone.body.");
  body->move_to(device);
  std::vector<Variable> maps = (*body)(images);
  maps.erase(maps.begin());
  for (int level = 3; level <= 5; ++level) require_close("v1.C" + std::to_string(level), maps[level - 3]);

  for (const std::string structure : {"v1", "v2"}) {
    const Config& of = structure == "v1" ? config : test::configured("torchvision_v2", {"model.backbone=" + backbone});
    Fpn fpn(of.model, {body->channels(3), body->channels(4), body->channels(5)}, random);
    test::fill_weights(fpn, {}, "backbone.fpn.");
    fpn.move_to(device);
    const Pyramid pyramid = fpn(maps);
    for (int level = structure == "v1" ? 3 : 6; level <= 7; ++level) {
      require_close(structure + ".P" + std::to_string(level), Variable(pyramid.level(level - 3)));
    }
  }
}

TEST_CASE("golden: head outputs and detections", "[thorough]") {
  const Device device = GENERATE(from_range(test::network_devices()));
  const std::string name = GENERATE(from_range(test::networks({"resnet18_v1", "resnet50_v1", "resnet50_v2"})));
  const test::Convolutions convolutions(device == Device::cpu && GENERATE(true, false));
  INFO(name << " " << test::device_name(device) << " " << convolutions.name());
  const Fixture fixture("detection_" + name);
  const nlohmann::json& about = fixture.scalars();
  Config config =
      with_sizes(name.ends_with("v1") ? "torchvision" : "torchvision_v2", about.at("min_size"), about.at("max_size"));
  config.model.backbone = name.substr(0, 8);
  RetinaNet model(config, 91);
  test::fill_weights(model, {about.at("gain"), about.at("bias"), about.at("seed")});
  model.set_training(false);
  model.move_to(device);

  WorstDetection worst;
  for (std::size_t b = 0; b < about.at("batches").size(); ++b) {
    const std::vector<std::pair<int, int>> sizes = about.at("batches")[b];
    const Batch batch = prepared(config, "detection", sizes);
    const RetinaNet::Output output = model(input_of(batch, device));
    const std::string prefix = std::to_string(b) + ".";
    for (int l = 0; l < 5; ++l) {
      fixture.require_close(prefix + "logits." + std::to_string(l), output.logits.level(l).to_vector<float>(),
                            convolutions.map());
      fixture.require_close(prefix + "deltas." + std::to_string(l), output.deltas.level(l).to_vector<float>(),
                            convolutions.map());
    }
    const auto found = detect(model, batch);
    for (int n = 0; n < batch.images; ++n) {
      worst.require_same(fixture, prefix + std::to_string(n) + ".", found[n], convolutions);
    }
  }
  worst.check(name, convolutions);
}

TEST_CASE("golden: Detectron2's rules, from pixels to detections") {
  const Device device = GENERATE(from_range(test::network_devices()));
  if (test::kSanitized) return test::skip("resnet50 under sanitizers");
  const test::Convolutions convolutions(device == Device::cpu && GENERATE(true, false));
  const Fixture fixture("detectron2");
  const nlohmann::json& about = fixture.scalars();
  const int height = about.at("height"), width = about.at("width");
  RetinaNet model(with_sizes("detectron2", height, width), 80);
  test::fill_weights(model, {about.at("gain"), about.at("bias"), about.at("seed")});
  for (const NamedParameter& p : model.parameters()) {
    if (p.name != "backbone.body.conv1.weight") continue;
    std::vector<float> weights = p.variable.value().to_vector<float>();
    for (float& w : weights) w *= about.at("stem_scale").get<float>();
    p.variable.value().copy_from_host(weights.data());
  }
  model.set_training(false);
  model.move_to(device);
  Batch batch = prepared(model.config(), "detectron2", {{height, width}});
  const std::vector<float> original = about.at("original");
  batch.original_sizes = {original[1], original[0]};

  const RetinaNet::Output output = model(input_of(batch, device));
  for (int l = 0; l < 5; ++l) {
    fixture.require_close("logits." + std::to_string(l), output.logits.level(l).to_vector<float>(), convolutions.map());
    fixture.require_close("deltas." + std::to_string(l), output.deltas.level(l).to_vector<float>(), convolutions.map());
  }
  CHECK(about.at("reach_outside") > 0);  // else clipping would not matter
  WorstDetection worst;
  worst.require_same(fixture, "", detect(model, batch)[0], convolutions);
  worst.check("detectron2", convolutions);
}
