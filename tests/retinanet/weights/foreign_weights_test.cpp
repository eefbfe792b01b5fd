#include "retinanet/weights/foreign_weights.h"
#include "retinanet/config/presets.h"

#include <algorithm>
#include <functional>

#include "retinanet/network/retinanet.h"
#include "tests/retinanet/support.h"

namespace diopter {
namespace {

using namespace test;

using Names = std::map<std::string, Shape>;

/// Names and stored shapes of a detector's tensors.
Names names_of(const Config& config, int classes) {
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", model_state(RetinaNet(config, classes)));
  Names names;
  for (const auto& [name, tensor] : checkpoint.tensors) names[name] = tensor.shape();
  return names;
}

const Names& resnet18_names() {
  static const Names names =
      names_of(configured("torchvision", {"model.backbone=resnet18", "model.fpn_channels=8"}), 91);
  return names;
}
const Names& resnet50_names() {
  static const Names names = names_of(configured("detectron2", {"model.fpn_channels=8"}), 80);
  return names;
}

/// A checkpoint of these tensors under other names ("" leaves one out), each of one number per row.
Checkpoint foreign(const Names& names, const std::function<std::string(const std::string&)>& rename) {
  Checkpoint checkpoint{"x.pth", {}, {}};
  for (const auto& [name, shape] : names) {
    const std::string other = rename(name);
    if (other.empty()) continue;
    Shape small = shape;
    for (int i = 2; i < shape.rank(); ++i) small[i] = 1;
    checkpoint.tensors[other] = Tensor::zeros(small);
  }
  return checkpoint;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at != std::string::npos) text.replace(at, from.size(), to);
}

std::string same(const std::string& name) { return name; }

std::string old_torchvision(std::string name) {
  for (int i = 0; i < 4; ++i) replace(name, "conv." + std::to_string(i) + ".0.", "conv." + std::to_string(2 * i) + "@");
  for (int i = 0; i < 4; ++i)
    replace(name, "_blocks." + std::to_string(i) + ".0.", "_blocks." + std::to_string(i) + ".");
  replace(name, "@", ".");
  return name;
}

std::string imagenet(const std::string& name) {
  return is_of_backbone(name) ? name.substr(std::string("backbone.body.").size()) : "";
}

std::string detectron2(std::string name) {
  for (int i = 1; i <= 3; ++i) replace(name, ".bn" + std::to_string(i) + ".", ".conv" + std::to_string(i) + ".norm.");
  replace(name, ".downsample.0.", ".shortcut.");
  replace(name, ".downsample.1.", ".shortcut.norm.");
  for (int i = 1; i <= 4; ++i) {
    replace(name, "backbone.body.layer" + std::to_string(i), "backbone.bottom_up.res" + std::to_string(i + 1));
  }
  replace(name, "backbone.body.", "backbone.bottom_up.stem.");
  for (int i = 0; i < 3; ++i) {
    replace(name, "backbone.fpn.inner_blocks." + std::to_string(i) + ".0",
            "backbone.fpn_lateral" + std::to_string(i + 3));
    replace(name, "backbone.fpn.layer_blocks." + std::to_string(i) + ".0",
            "backbone.fpn_output" + std::to_string(i + 3));
  }
  replace(name, "backbone.fpn.extra_blocks", "backbone.top_block");
  replace(name, "classification_head.cls_logits", "cls_score");
  replace(name, "regression_head.bbox_reg", "bbox_pred");
  replace(name, "classification_head.conv", "cls_subnet");
  replace(name, "regression_head.conv", "bbox_subnet");
  for (int i = 3; i >= 0; --i)
    replace(name, "subnet." + std::to_string(i) + ".0.", "subnet." + std::to_string(2 * i) + ".");
  return name;
}

std::string caffe2(std::string name) {
  if (!is_of_backbone(name)) return "";
  name = detectron2(name).substr(std::string("backbone.bottom_up.").size());
  if (!contains(name, ".norm.")) replace(name, ".weight", ".w");
  replace(name, "stem.conv1.norm.", "res_conv1_bn_");
  replace(name, "stem.conv1.w", "conv1_w");
  replace(name, "shortcut", "branch1");
  for (int i = 1; i <= 3; ++i) replace(name, ".conv" + std::to_string(i), std::string(".branch2") + "abc"[i - 1]);
  replace(name, ".norm.", "_bn_");
  replace(name, "_bn_weight", "_bn_gamma");
  replace(name, "_bn_bias", "_bn_beta");
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// The names of what was recognised must be those of the detector, or of its backbone.
void require_names(const Checkpoint& recognised, const Names& expected, bool backbone_only = false) {
  for (const auto& [name, tensor] : recognised.tensors) {
    INFO(name);
    REQUIRE(expected.count(name) == 1);
  }
  for (const auto& [name, shape] : expected) {
    INFO(name);
    if (!backbone_only || is_of_backbone(name)) REQUIRE(recognised.tensors.count(name) == 1);
  }
}

TEST_CASE("weights: torchvision's RetinaNet is recognised by either spelling") {
  for (const bool old : {false, true}) {
    Checkpoint checkpoint = old ? foreign(resnet18_names(), old_torchvision) : foreign(resnet18_names(), same);
    if (old) CHECK(checkpoint.tensors.count("head.classification_head.conv.6.weight") == 1);
    const ForeignWeights found = recognise(checkpoint);
    require_names(checkpoint, resnet18_names());
    CHECK(found.kind == "torchvision RetinaNet");
    CHECK(found.outputs == 91);
    CHECK(found.labels_are_ids);
    CHECK(found.config.model.backbone == "resnet18");
    CHECK(found.config.model.norm == NormKind::frozen_batch);
    CHECK(found.config.model.fpn_channels == 8);
    CHECK(found.config.model.min_level == 3);
    CHECK(found.config.model.max_level == 7);
    CHECK(found.config.model.p6_from == P6Source::p5);
    CHECK(found.config.model.head_depth == 4);
    CHECK(found.config.model.head_norm == NormKind::none);
    CHECK(found.config.anchors.round == AnchorRounding::torchvision);
    // 91 classes and frozen norms: torchvision's published weights, whose norms have no eps.
    CHECK(found.config.model.norm_eps == 0);
    REQUIRE(found.notes.size() == 1);
    CHECK(contains(found.notes[0], "model.norm_eps = 0"));
  }
}

TEST_CASE("weights: what torchvision's names and shapes say about the network") {
  const Config v2 =
      configured("torchvision_v2", {"model.backbone=resnet18", "model.fpn_channels=32", "model.min_level=2"});
  Names names = names_of(v2, 5);
  for (const auto& [name, shape] : Names(names)) {
    if (name.ends_with(".running_mean")) names[name.substr(0, name.rfind('.')) + kBatchCount] = {};
  }
  Checkpoint checkpoint = foreign(names, [](const std::string& name) { return "module." + name; });
  const ForeignWeights found = recognise(checkpoint);
  require_names(checkpoint, names);
  CHECK(found.outputs == 5);
  CHECK(found.config.model.norm == NormKind::batch);
  CHECK(found.config.model.head_norm == NormKind::group);
  CHECK(found.config.model.p6_from == P6Source::c5);
  CHECK(found.config.model.min_level == 2);
  CHECK(found.config.model.norm_eps == 1e-5);
  CHECK(found.config.loss.box == BoxLoss::giou);
  CHECK(found.notes.empty());
}

TEST_CASE("weights: classifiers of ImageNet are backbones") {
  Checkpoint checkpoint = foreign(resnet50_names(), imagenet);
  checkpoint.tensors["fc.weight"] = Tensor::zeros({1000, 1});
  checkpoint.tensors["fc.bias"] = Tensor::zeros({1000});
  const ForeignWeights found = recognise(checkpoint);
  require_names(checkpoint, resnet50_names(), true);
  CHECK(found.kind == "torchvision ResNet");
  CHECK(found.outputs == 0);
  CHECK(found.config.model.backbone == "resnet50");
  CHECK_FALSE(found.config.model.stride_in_1x1);
  CHECK_FALSE(found.config.input.bgr);
  CHECK(found.notes == std::vector<std::string>{"left out: fc.bias, fc.weight"});
  checkpoint.tensors.clear();
}

TEST_CASE("weights: the depth of a ResNet is seen") {
  const auto depth = [](bool bottleneck, const std::vector<int>& blocks) {
    Checkpoint checkpoint{"x.pth", {{"conv1.weight", Tensor::zeros({64, 3, 7, 7})}}, {}};
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
      for (int b = 0; b < blocks[stage]; ++b) {
        const std::string block = "layer" + std::to_string(stage + 1) + "." + std::to_string(b);
        for (int i = 1; i <= (bottleneck ? 3 : 2); ++i) {
          checkpoint.tensors[block + ".conv" + std::to_string(i) + ".weight"] = Tensor::zeros({1, 1, 1, 1});
        }
      }
    }
    return recognise(checkpoint).config.model.backbone;
  };
  CHECK(depth(false, {2, 2, 2, 2}) == "resnet18");
  CHECK(depth(false, {3, 4, 6, 3}) == "resnet34");
  CHECK(depth(true, {3, 4, 6, 3}) == "resnet50");
  CHECK(depth(true, {3, 4, 23, 3}) == "resnet101");
  // Of no known depth: the names of the tensors that differ are told when they are loaded. Never the tiny backbone.
  CHECK(depth(true, {3, 8, 36, 3}) == "resnet50");
  CHECK(depth(false, {1, 1, 1, 1}) == "resnet18");
}

TEST_CASE("weights: Detectron2's RetinaNet is recognised") {
  Checkpoint checkpoint = foreign(resnet50_names(), detectron2);
  CHECK(checkpoint.tensors.count("backbone.bottom_up.res3.0.shortcut.norm.running_var") == 1);
  CHECK(checkpoint.tensors.count("backbone.bottom_up.stem.conv1.norm.weight") == 1);
  CHECK(checkpoint.tensors.count("head.bbox_subnet.6.bias") == 1);
  checkpoint.tensors["pixel_mean"] = Tensor::from({3, 1, 1}, std::vector<float>{100, 116.28f, 123.675f});
  checkpoint.tensors["anchor_generator.cell_anchors.0"] = Tensor::zeros({9, 4});
  const ForeignWeights found = recognise(checkpoint);
  require_names(checkpoint, resnet50_names());
  CHECK(found.kind == "Detectron2 RetinaNet");
  CHECK(found.outputs == 80);
  CHECK_FALSE(found.labels_are_ids);
  CHECK(found.config.model.backbone == "resnet50");
  CHECK(found.config.model.stride_in_1x1);
  CHECK(found.config.model.p6_from == P6Source::c5);
  CHECK(found.config.input.bgr);
  CHECK(found.config.input.mean == std::vector<double>{100, 116.28, 123.675});
  CHECK(found.config.anchors.order == AnchorOrder::scale_major);
  CHECK(found.config.model.norm_eps == 1e-5);
}

TEST_CASE("weights: backbones of Detectron2's model zoo") {
  Checkpoint plain = foreign(resnet50_names(), [](const std::string& name) {
    return is_of_backbone(name) ? detectron2(name).substr(std::string("backbone.bottom_up.").size()) : "";
  });
  CHECK(plain.tensors.count("res2.0.shortcut.weight") == 1);
  Checkpoint converted = plain;
  converted.metadata["__author__"] = "torchvision";
  converted.tensors["stem.fc.weight"] = Tensor::zeros({1});
  const ForeignWeights found = recognise(plain), from_torchvision = recognise(converted);
  require_names(plain, resnet50_names(), true);
  require_names(converted, resnet50_names(), true);
  CHECK(found.kind == "Detectron2 ResNet");
  CHECK((found.config.model.stride_in_1x1 && found.config.input.bgr));
  CHECK_FALSE((from_torchvision.config.model.stride_in_1x1 || from_torchvision.config.input.bgr));
  CHECK(from_torchvision.config.input.mean == preset("torchvision").input.mean);
}

TEST_CASE("weights: backbones that Caffe2 wrote") {
  Checkpoint full = foreign(resnet50_names(), caffe2);
  CHECK(full.tensors.count("res4_2_branch2b_bn_running_mean") == 1);
  full.tensors["fc1000_w"] = full.tensors["conv1_b"] = full.tensors["conv1_w_momentum"] = Tensor::zeros({1});
  const ForeignWeights found = recognise(full);
  require_names(full, resnet50_names(), true);
  CHECK(found.kind == "Caffe2 ResNet");
  CHECK((found.config.model.stride_in_1x1 && found.config.input.bgr));

  // Older ones have a scale and a bias in place of norms: (x - 0) / sqrt(1) scale + bias.
  Checkpoint old = foreign(resnet50_names(), [](const std::string& name) {
    if (contains(name, "running")) return std::string();
    std::string other = caffe2(name);
    replace(other, "bn_gamma", "bn_s");
    replace(other, "bn_beta", "bn_b");
    return other;
  });
  CHECK(old.tensors.count("res_conv1_bn_s") == 1);
  CHECK(old.tensors.count("res5_0_branch1_bn_b") == 1);
  recognise(old);
  require_names(old, resnet50_names(), true);
  const float variance = old.tensors.at("backbone.body.layer1.0.bn2.running_var").to_vector<float>()[0];
  CHECK(variance + 1e-5f == 1.0f);
  CHECK(old.tensors.at("backbone.body.bn1.running_mean").to_vector<float>() == std::vector<float>(64, 0.0f));
}

TEST_CASE("weights: networks of other kinds are refused") {
  Checkpoint other{"x.pth", {{"a.weight", Tensor::zeros({2, 3})}, {"b", Tensor::zeros({1})}}, {}};
  CHECK(error_of([&] {
          recognise(other);
        }).starts_with("x.pth: of no known network: its first tensor is a.weight [2, 3]; "));
  Checkpoint none{"x.pth", {}, {}};
  CHECK(error_of([&] { recognise(none); }) == "x.pth: holds no tensors");
  Checkpoint twice = foreign(resnet18_names(), same);
  twice.tensors["backbone.fpn.inner_blocks.0.weight"] = Tensor::zeros({1});
  CHECK(contains(error_of([&] { recognise(twice); }), "two tensors are backbone.fpn.inner_blocks.0.0.weight"));
}

}  // namespace
}  // namespace diopter
