#include "retinanet/weights/foreign_weights.h"

#include <algorithm>
#include <utility>

#include "kernels/base/text.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/backbone.h"

namespace diopter {

namespace {

/// A name in which `first` occurs gets `second` in its place. Rules are applied one after another.
using Rules = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kClassLayer = "head.classification_head.cls_logits.weight";
constexpr const char* kBoxLayer = "head.regression_head.bbox_reg.weight";
constexpr int kMostConvolutions = 16;

std::string number(int i) { return std::to_string(i); }

/// torchvision before 0.13 had no level for the norms and activations beside a convolution.
Rules torchvision_rules() {
  Rules rules;
  for (const std::string part : {"weight", "bias"}) {
    for (int i = 0; i < kMostConvolutions; ++i) {
      rules.push_back({"_head.conv." + number(2 * i) + "." + part, "_head.conv." + number(i) + ".0." + part});
      rules.push_back({"_blocks." + number(i) + "." + part, "_blocks." + number(i) + ".0." + part});
    }
  }
  return rules;
}

/// Detectron2. `prefix`: what stands before the names of the backbone.
Rules detectron2_rules(const std::string& prefix, int first_level) {
  Rules rules{{prefix + "stem.", "backbone.body."},
              {"backbone.top_block.", "backbone.fpn.extra_blocks."},
              {".shortcut.norm.", ".downsample.1."},
              {".shortcut.", ".downsample.0."},
              {"head.cls_score.", "head.classification_head.cls_logits."},
              {"head.bbox_pred.", "head.regression_head.bbox_reg."}};
  for (int stage = 1; stage <= 4; ++stage) {
    rules.push_back({prefix + "res" + number(stage + 1) + ".", "backbone.body.layer" + number(stage) + "."});
  }
  for (int i = 1; i <= 3; ++i) rules.push_back({".conv" + number(i) + ".norm.", ".bn" + number(i) + "."});
  for (int level = first_level; level <= 5; ++level) {
    const std::string block = "_blocks." + number(level - first_level) + ".0.";
    rules.push_back({"backbone.fpn_lateral" + number(level) + ".", "backbone.fpn.inner" + block});
    rules.push_back({"backbone.fpn_output" + number(level) + ".", "backbone.fpn.layer" + block});
  }
  for (int i = 0; i < kMostConvolutions; ++i) {
    const std::string old = "_subnet." + number(2 * i) + ".", conv = "conv." + number(i) + ".0.";
    rules.push_back({"head.cls" + old, "head.classification_head." + conv});
    rules.push_back({"head.bbox" + old, "head.regression_head." + conv});
  }
  return rules;
}

/// Backbones of the model zoos of Detectron and Detectron2 as Caffe2 wrote them: res2_0_branch2a_w,
/// res2_0_branch2a_bn_s.
Rules caffe2_rules() {
  const std::string norm = "@";  // stands before the name of a norm's part until that has its turn
  Rules rules{{"res_conv1_bn_", "backbone.body.bn1." + norm},
              {"conv1_w", "backbone.body.conv1.weight"},
              {"_branch1_w", ".downsample.0.weight"},
              {"_branch1_bn_", ".downsample.1." + norm}};
  for (int i = 1; i <= 3; ++i) {
    const std::string branch = std::string("_branch2") + "abc"[i - 1];
    rules.push_back({branch + "_w", ".conv" + number(i) + ".weight"});
    rules.push_back({branch + "_bn_", ".bn" + number(i) + "." + norm});
  }
  for (const auto& [part, name] : Rules{{"gamma", "weight"},
                                        {"beta", "bias"},
                                        {"rm", "running_mean"},
                                        {"riv", "running_var"},
                                        {"running_mean", "running_mean"},
                                        {"running_var", "running_var"},
                                        {"s", "weight"},
                                        {"b", "bias"}}) {
    rules.push_back({norm + part, name});
  }
  for (int stage = 1; stage <= 4; ++stage) {
    rules.push_back({"res" + number(stage + 1) + "_", "backbone.body.layer" + number(stage) + "."});
  }
  return rules;
}

std::string renamed(std::string name, const Rules& rules) {
  for (const auto& [from, to] : rules) {
    const std::size_t at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

/// Tensors that no detector here has a place for: classifiers of ImageNet, constants, momenta.
bool is_needless(const std::string& name) {
  for (const char* start :
       {"fc.", "fc1000", "pred_", "linear.", "stem.fc.", "pixel_", "anchor_generator.", "conv1_b"}) {
    if (name.starts_with(start)) return true;
  }
  return name.ends_with("_momentum") || name == "lr" || name == "weight_order";
}

/// Common traits of a family of checkpoints.
struct Family {
  std::string kind, preset;
  Rules rules;
  std::string prefix;  // put before every name first
};

class Recogniser {
 public:
  explicit Recogniser(Checkpoint& checkpoint) : checkpoint_(checkpoint), tensors_(checkpoint.tensors) {}

  ForeignWeights recognise() {
    strip_wrappers();
    const Family family = this->family();
    result_.kind = family.kind;
    result_.config = preset(family.preset);
    Config& config = result_.config;
    take_pixel_statistics(config.input);
    rename(family);
    if (family.kind.starts_with("Caffe2")) add_statistics();

    const bool detector =
        std::any_of(tensors_.begin(), tensors_.end(), [](const auto& t) { return !is_of_backbone(t.first); });
    result_.kind += detector ? " RetinaNet" : " ResNet";
    result_.labels_are_ids = family.kind == "torchvision";
    if (detector && has("head.classification_head.conv.0.1.weight")) config = preset("torchvision_v2");
    describe_backbone(config.model);
    if (detector) describe_detector(config.model);
    choose(config, detector);
    return result_;
  }

 private:
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  /// Size of a dimension, or `otherwise` when there is no such tensor or dimension.
  int size(const std::string& name, int dimension, int otherwise) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second.shape().rank() <= dimension) return otherwise;
    return static_cast<int>(found->second.shape()[dimension]);
  }

  template <class Name>
  int count(Name name) const {
    int n = 0;
    while (has(name(n))) ++n;
    return n;
  }

  void note(const std::string& text) { result_.notes.push_back(text); }

  /// Wrappers put a word before every name: PyTorch's for several GPUs "module.", torch.compile "_orig_mod.", Lightning
  /// and DeepForest "model.".
  void strip_wrappers() {
    while (strip("module.") || strip("_orig_mod.") || strip("model.")) {
    }
  }

  /// Takes a word away that stands before every name; false where it does not.
  bool strip(const std::string& word) {
    std::map<std::string, Tensor> stripped;
    for (const auto& [name, tensor] : tensors_) {
      if (!name.starts_with(word)) return false;
      stripped[name.substr(word.size())] = tensor;
    }
    tensors_ = std::move(stripped);
    return true;
  }

  Family family() const {
    if (has("backbone.body.conv1.weight")) return {"torchvision", "torchvision", torchvision_rules(), ""};
    if (has("conv1.weight") && has("layer1.0.conv1.weight"))
      return {"torchvision", "torchvision", {}, "backbone.body."};
    if (has("conv1_w")) return {"Caffe2", "detectron2", caffe2_rules(), ""};
    for (const std::string prefix : {"backbone.bottom_up.", ""}) {
      if (!has(prefix + "stem.conv1.weight")) continue;
      int first_level = 2;
      while (first_level < 5 && !has("backbone.fpn_lateral" + number(first_level) + ".weight")) ++first_level;
      return {"Detectron2", "detectron2", detectron2_rules(prefix, first_level), ""};
    }
    const auto& [name, tensor] = *tensors_.begin();
    fail(checkpoint_.file, ": of no known network: its first tensor is ", name, " ", tensor.shape().str(),
         "; RetinaNet and ResNet of torchvision and Detectron2 can be read");
  }

  void rename(const Family& family) {
    std::map<std::string, Tensor> kept;
    std::vector<std::string> needless;
    for (const auto& [name, tensor] : tensors_) {
      if (is_needless(name)) {
        needless.push_back(name);
      } else {
        const std::string target = renamed(family.prefix + name, family.rules);
        DIOPTER_CHECK(kept.emplace(target, tensor).second, checkpoint_.file, ": two tensors are ", target, ", ", name,
                      " for one");
      }
    }
    tensors_ = std::move(kept);
    if (!needless.empty()) note("left out: " + join(needless));
  }

  /// Detectron2 used to keep its normalisation with the weights.
  void take_pixel_statistics(Config::Input& input) {
    const auto take = [&](const char* name, std::vector<double>& values) {
      const auto found = tensors_.find(name);
      if (found == tensors_.end() || found->second.size() != 3 || found->second.dtype() != DType::f32) return;
      const std::vector<float> stored = found->second.to_vector<float>();
      for (int c = 0; c < 3; ++c) {
        // The decimal numbers that were meant, where the float is theirs.
        if (static_cast<float>(values[c]) != stored[c]) values[c] = static_cast<double>(stored[c]);
      }
    };
    take("pixel_mean", input.mean);
    take("pixel_std", input.std);
  }

  /// Norms of Detectron's checkpoints have no statistics: with these, scale and shift are weight and bias. The variance
  /// is Detectron2's, for which variance + eps rounds to 1.
  void add_statistics() {
    std::vector<std::pair<std::string, Shape>> norms;
    for (const auto& [name, tensor] : tensors_) {
      const bool norm = name.find(".bn") != std::string::npos || name.find(".downsample.1.") != std::string::npos;
      if (norm && name.ends_with(".weight")) norms.push_back({name.substr(0, name.rfind('.')), tensor.shape()});
    }
    for (const auto& [norm, shape] : norms) {
      tensors_.try_emplace(norm + ".running_mean", Tensor::full(shape, 0));
      tensors_.try_emplace(norm + ".running_var", Tensor::full(shape, 1.0f - 1e-5f));
    }
  }

  void describe_backbone(Config::Model& model) const {
    const bool bottleneck = has("backbone.body.layer1.0.conv3.weight");
    std::vector<int> blocks;
    for (int stage = 1; stage <= 4; ++stage) {
      blocks.push_back(
          count([&](int b) { return "backbone.body.layer" + number(stage) + "." + number(b) + ".conv1.weight"; }));
    }
    model.backbone = bottleneck ? "resnet50" : "resnet18";  // when none fits, loading names the tensors that differ
    for (const std::string& name : backbone_names()) {
      Config::Model candidate = model;
      candidate.backbone = name;
      const std::optional<ResNetSpec> spec = resnet_spec(candidate);
      if (spec && !spec->small_stem && spec->bottleneck == bottleneck && spec->blocks == blocks) model.backbone = name;
    }
    model.norm = has("backbone.body.bn1.num_batches_tracked") ? NormKind::batch : NormKind::frozen_batch;
  }

  void describe_detector(Config::Model& model) {
    const int maps = count([](int i) { return "backbone.fpn.inner_blocks." + number(i) + ".0.weight"; });
    if (maps >= 1 && maps <= 4) model.min_level = 6 - maps;
    model.max_level = 5 + count([](int i) { return "backbone.fpn.extra_blocks.p" + number(6 + i) + ".weight"; });
    model.fpn_channels = size("backbone.fpn.inner_blocks.0.0.weight", 0, model.fpn_channels);
    model.p6_from = size("backbone.fpn.extra_blocks.p6.weight", 1, model.fpn_channels) == model.fpn_channels
                        ? P6Source::p5
                        : P6Source::c5;
    model.head_depth = count([](int i) { return "head.classification_head.conv." + number(i) + ".0.weight"; });
    model.head_norm = has("head.classification_head.conv.0.1.weight") ? NormKind::group : NormKind::none;
    const int cells = size(kBoxLayer, 0, 0) / 4;
    result_.outputs = cells > 0 ? size(kClassLayer, 0, cells) / cells : 1;
  }

  /// What names and shapes leave open.
  void choose(Config& config, bool detector) {
    const auto author = checkpoint_.metadata.find("__author__");
    if (result_.kind.starts_with("Detectron2") && author != checkpoint_.metadata.end() &&
        author->second == "torchvision") {
      config.model.stride_in_1x1 = false;
      config.input = preset("torchvision").input;
      note(
          "a ResNet of torchvision in Detectron2's form: model.stride_in_1x1 = false, [input] as in preset "
          "torchvision");
    } else if (config.model.stride_in_1x1 && resnet_spec(config.model)->bottleneck) {
      note("model.stride_in_1x1 = true and input.bgr = true, as in the model zoo (the file does not say)");
    }
    if (detector && result_.labels_are_ids && config.model.norm == NormKind::frozen_batch && result_.outputs == 91) {
      config.model.norm_eps = 0;
      note("model.norm_eps = 0, as in torchvision's COCO weights (the file does not say; 1e-5 in other runs)");
    }
  }

  Checkpoint& checkpoint_;
  std::map<std::string, Tensor>& tensors_;
  ForeignWeights result_;
};

}  // namespace

bool is_of_backbone(const std::string& name) { return name.starts_with("backbone.body."); }

ForeignWeights recognise(Checkpoint& checkpoint) {
  DIOPTER_CHECK(!checkpoint.tensors.empty(), checkpoint.file, ": holds no tensors");
  for (auto& [name, tensor] : checkpoint.tensors) {
    if (tensor.dtype() != DType::bf16) continue;
    const std::vector<bf16> stored = tensor.to_vector<bf16>();
    std::vector<float> values(stored.size());
    std::transform(stored.begin(), stored.end(), values.begin(), [](bf16 v) { return static_cast<float>(v); });
    tensor = Tensor::from(tensor.shape(), values);
  }
  return Recogniser(checkpoint).recognise();
}

}  // namespace diopter
