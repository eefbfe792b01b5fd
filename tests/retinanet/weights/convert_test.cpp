#include "retinanet/weights/convert.h"
#include "retinanet/config/configure.h"

#include <algorithm>

#include "retinanet/weights/foreign_weights.h"
#include "retinanet/weights/start.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/devices.h"

namespace diopter {
namespace {

using namespace test;

/// A torchvision file of a small detector with 4 outputs; its norms are trained ones that have seen 77 batches.
struct TorchvisionFile {
  TemporaryFolder folder;
  std::string file = folder / "torchvision.safetensors";
  Checkpoint checkpoint;

  TorchvisionFile() {
    const Config config =
        configured("torchvision", {"model.backbone=resnet18", "model.fpn_channels=8", "model.norm=batch"});
    put_tensors(checkpoint, "", model_state(RetinaNet(config, 4)));
    std::uint64_t seed = 0;
    for (auto& [name, tensor] : checkpoint.tensors) {
      if (tensor.shape().rank() < 4) tensor = random_tensor(tensor.shape(), ++seed, Device::cpu, 0.5f, 1);
    }
    for (const auto& [name, tensor] : std::map(checkpoint.tensors)) {
      if (!name.ends_with(".running_mean")) continue;
      checkpoint.tensors[name.substr(0, name.rfind('.')) + kBatchCount] =
          Tensor::from({}, std::vector<std::int32_t>{77});
    }
    save_checkpoint(file, checkpoint);
  }
};

void require_same(const Checkpoint& a, const Checkpoint& b) {
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    INFO(name);
    REQUIRE(b.tensors.count(name) == 1);
    const Tensor& other = b.tensors.at(name);
    REQUIRE((tensor.shape() == other.shape() && tensor.dtype() == other.dtype()));
    REQUIRE(std::string_view(static_cast<const char*>(tensor.raw()), tensor.bytes()) ==
            std::string_view(static_cast<const char*>(other.raw()), other.bytes()));
  }
}

TEST_CASE("convert: from torchvision and back gives the same bits", "[thorough]") {
  const TorchvisionFile in;
  const std::string file = in.folder / "diopter.safetensors";
  const Conversion there = convert_weights(in.file, {});
  save_checkpoint(file, there.checkpoint);
  CHECK(there.notes == std::vector<std::string>{in.file + ": torchvision RetinaNet with resnet18, 4 classes"});
  const LoadedModel loaded = load_model(file);
  CHECK(loaded.classes == std::vector<std::string>{"class 0", "class 1", "class 2", "class 3"});
  CHECK(loaded.category_ids == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(loaded.model->config().model.norm == NormKind::batch);

  ConvertOptions back;
  back.to_torchvision = true;
  const Conversion again = convert_weights(file, back);
  require_same(again.checkpoint, in.checkpoint);
  CHECK(again.checkpoint.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  CHECK(again.notes.size() == 1);

  // Frozen norms have no counts, other settings are told, BGR and the other order are undone.
  back.settings = {"model.norm=frozen_batch",
                   "model.norm_eps=0",
                   "input.bgr=true",
                   "input.mean=[103.53, 116.28, 123.675]",
                   "input.std=[1.0, 1.0, 1.0]",
                   "input.divisor=1.0",
                   "anchors.order=scale_major",
                   "anchors.round=none"};
  const Conversion frozen = convert_weights(file, back);
  CHECK(frozen.checkpoint.tensors.count("backbone.body.bn1.num_batches_tracked") == 0);
  const Shape stem{64, 3, 7, 7};
  const auto before = in.checkpoint.tensors.at("backbone.body.conv1.weight").to_vector<float>();
  const auto after = frozen.checkpoint.tensors.at("backbone.body.conv1.weight").to_vector<float>();
  CHECK(frozen.checkpoint.tensors.at("backbone.body.conv1.weight").shape() == stem);
  CHECK(std::equal(before.begin(), before.begin() + 49, after.begin() + 98));
  // Ratio-major cell 1 (ratio 0, scale 1) was scale-major cell 3.
  const auto bias = in.checkpoint.tensors.at("head.regression_head.bbox_reg.bias").to_vector<float>();
  const auto moved = frozen.checkpoint.tensors.at("head.regression_head.bbox_reg.bias").to_vector<float>();
  CHECK(std::equal(moved.begin() + 4, moved.begin() + 8, bias.begin() + 12));
  REQUIRE(frozen.notes.size() == 4);
  CHECK(
      frozen.notes[1] ==
      "torchvision must be given image_mean=[0.485, 0.456, 0.406] and image_std=[0.00392157, 0.00392157, 0.00392157]");
  CHECK(contains(frozen.notes[2], "overwrite_eps(model, 0)"));
  CHECK(contains(frozen.notes[3], "torchvision's anchors are others: here anchors.round is "));
}

/// Weights of a file whose outputs are known by number only.
Weights nameless(int outputs, bool labels_are_ids) {
  Weights weights;
  weights.checkpoint.file = "x";
  weights.labels_are_ids = labels_are_ids;
  for (const Category& c : default_classes(outputs, labels_are_ids, weights.names_known)) {
    weights.state.classes.push_back(c.name);
    weights.state.category_ids.push_back(c.id);
  }
  return weights;
}

TEST_CASE("convert: classes by number, by COCO file and by text file", "[thorough]") {
  using Names = std::vector<std::string>;
  using Ids = std::vector<std::int64_t>;
  const TemporaryFolder folder;
  const auto json = [&](const std::string& categories) {
    return folder.write("classes.json", R"({"images": [], "annotations": [], "categories": [)" + categories + "]}");
  };
  const auto check = [](const ClassList& list, const Names& names, const Ids& ids) {
    CHECK(list.names == names);
    CHECK(list.ids == ids);
  };
  const Weights torchvision = nameless(4, true), contiguous = nameless(2, false);
  check(chosen_classes(torchvision, ""), {"class 0", "class 1", "class 2", "class 3"}, {0, 1, 2, 3});
  check(chosen_classes(torchvision, "4"), {"class 0", "class 1", "class 2", "class 3"}, {0, 1, 2, 3});
  check(chosen_classes(torchvision, "2"), {"class 0", "class 1"}, {1, 2});
  CHECK(chosen_classes(torchvision, "80").names[0] == "person");

  // Labels of torchvision are ids: three classes with ids up to 3 are named, output 0 is not used.
  const std::string two = json(R"({"id": 3, "name": "c"}, {"id": 1, "name": "a"})");
  check(chosen_classes(torchvision, two), {"unused 0", "a", "unused 2", "c"}, {0, 1, 2, 3});
  check(chosen_classes(contiguous, two), {"a", "c"}, {1, 3});
  const std::string three = folder.write("names.txt", "a\n b \n\nc\n");
  check(chosen_classes(torchvision, three), {"unused 0", "a", "b", "c"}, {0, 1, 2, 3});
  check(chosen_classes(contiguous, three), {"a", "b", "c"}, {1, 2, 3});
  check(chosen_classes(torchvision, json(R"({"id": 7, "name": "b"}, {"id": 1, "name": "a"})")), {"a", "b"}, {1, 7});
  check(chosen_classes(torchvision, folder.write("names.txt", "a\nb\nc\nd")), {"a", "b", "c", "d"}, {1, 2, 3, 4});

  // Known names must be the same: those of COCO leave its 91 outputs as they are, others start afresh.
  const Weights coco = nameless(91, true);
  CHECK(chosen_classes(coco, json(R"({"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"})")).names ==
        coco.state.classes);
  check(chosen_classes(coco, json(R"({"id": 1, "name": "person"}, {"id": 2, "name": "goat"})")), {"person", "goat"},
        {1, 2});

  for (const auto& [wanted, reason] :
       std::map<std::string, std::string>{{"0", "--classes 0: must lie between 1 and 100000"},
                                          {"-1", "--classes -1: must lie"},
                                          {"99999999999999", "99999999999999: "},
                                          {folder.write("empty.txt", "\n"), "names no classes"},
                                          {folder.write("twice.txt", "a\na"), "names 'a' twice"},
                                          {folder / "none.txt", "none.txt: "}}) {
    const std::string& classes = wanted;  // clang 14 captures no structured bindings
    CHECK(contains(error_of([&] { chosen_classes(torchvision, classes); }), reason));
  }
}

TEST_CASE("convert: other classes keep everything but the class layer", "[thorough]") {
  const TorchvisionFile in;
  ConvertOptions options;
  options.classes = "2";
  const Conversion result = convert_weights(in.file, options);
  REQUIRE(result.notes.size() == 2);
  CHECK(result.notes[1] == in.file +
                               ": read as torchvision RetinaNet with resnet18: has other classes (4, not 2); the last "
                               "classification layer starts afresh");
  for (const auto& [name, tensor] : in.checkpoint.tensors) {
    INFO(name);
    const Tensor& kept = result.checkpoint.tensors.at(name);
    if (contains(name, "cls_logits")) {
      CHECK(kept.shape()[0] == 9 * 2);
    } else if (tensor.dtype() == DType::f32) {
      CHECK(kept.to_vector<float>() == tensor.to_vector<float>());
    }
  }
  CHECK(result.checkpoint.metadata.at("classes") == R"(["class 0","class 1"])");
}

TEST_CASE("convert: what cannot be converted", "[thorough]") {
  const TorchvisionFile in;
  const auto error = [&](const std::vector<std::string>& settings, bool to_torchvision) {
    ConvertOptions options;
    options.settings = settings;
    options.to_torchvision = to_torchvision;
    return error_of([&] { convert_weights(in.file, options); });
  };
  const std::string no_such = in.file + ": torchvision has no such network: ";
  CHECK(error({"model.backbone=tiny"}, true) == no_such + "model.backbone is tiny");
  CHECK(
      contains(error({"model.backbone=resnet50", "model.stride_in_1x1=true"}, true), no_such + "model.stride_in_1x1"));
  CHECK(contains(error({"model.max_level=6"}, true), no_such + "model.max_level is 6"));
  CHECK(contains(error({"model.head_depth=3"}, true), no_such + "model.head_depth is 3"));
  CHECK(contains(error({"model.norm=group"}, true), no_such + "model.norm is group"));
  CHECK(contains(error({"model.head_norm=group", "model.groups=8"}, true), no_such + "model.groups is 8"));
  // Another network: the first tensor of each kind.
  const std::string other = error({"model.backbone=resnet34"}, false);
  CHECK(contains(other, in.file +
                            ": read as torchvision RetinaNet with resnet18: tensor backbone.body.layer1.2.conv1.weight "
                            "is missing (f32 [64, 64, 3, 3]) ("));
  CHECK(contains(error({"anchors.ratios=[1]"}, false), "(0 missing, 4 different, 0 surplus)"));
  CHECK(contains(error({"model.bacbone=resnet34"}, false), "nearest is model.backbone"));
  CHECK(contains(error({"model.groups=0"}, false), "model.groups"));
}

TEST_CASE("convert: a backbone alone becomes a start for training", "[thorough]") {
  const TorchvisionFile in;
  Checkpoint classifier;
  for (const auto& [name, tensor] : in.checkpoint.tensors) {
    if (is_of_backbone(name)) classifier.tensors[name.substr(std::string("backbone.body.").size())] = tensor;
  }
  classifier.tensors["fc.weight"] = Tensor::zeros({10, 512});
  const std::string file = in.folder / "resnet18.safetensors", out = in.folder / "backbone.safetensors";
  save_checkpoint(file, classifier);
  const Conversion conversion = convert_weights(file, {});
  save_checkpoint(out, conversion.checkpoint);
  CHECK(conversion.notes[0] == file + ": torchvision ResNet with resnet18");
  for (const auto& [name, tensor] : conversion.checkpoint.tensors) CHECK(is_of_backbone(name));
  CHECK(conversion.checkpoint.metadata.at("classes") == "[]");
  CHECK(contains(error_of([&] { load_model(out); }), out + ": holds a backbone only"));

  for (const std::string& weights : {file, out}) {
    const RetinaNet model(configured("torchvision", {"model.backbone=resnet18", "model.fpn_channels=8",
                                                     "model.norm=frozen_batch", "model.weights=" + weights}),
                          2);
    CHECK(contains(start(model), "holds a backbone only; pyramid and heads start afresh"));
    Checkpoint filled;
    put_tensors(filled, "", model_state(model));
    const Tensor& stem = filled.tensors.at("backbone.body.conv1.weight");
    CHECK(stem.to_vector<float>() == in.checkpoint.tensors.at("backbone.body.conv1.weight").to_vector<float>());
  }
  ConvertOptions options;
  options.to_torchvision = true;
  CHECK(contains(error_of([&] { convert_weights(file, options); }),
                 "holds a backbone only; --to torchvision is for detectors"));
  options = {};
  options.classes = "3";
  CHECK(contains(error_of([&] { convert_weights(file, options); }), "which has no classes"));
}

TEST_CASE("convert: words of wrappers before the names, and class names of a config.json beside the file",
          "[thorough]") {
  TorchvisionFile in;
  const LoadedModel expected = load_model(in.file);
  for (const std::string words : {"model.", "module.model.", "model._orig_mod."}) {
    INFO(words);
    Checkpoint wrapped;
    for (const auto& [name, tensor] : in.checkpoint.tensors) wrapped.tensors[words + name] = tensor;
    save_checkpoint(in.file, wrapped);
    const LoadedModel loaded = load_model(in.file);
    for (std::size_t i = 0; i < model_state(*loaded.model).size(); ++i) {
      REQUIRE(model_state(*loaded.model)[i].tensor.to_vector<float>() ==
              model_state(*expected.model)[i].tensor.to_vector<float>());
    }
    CHECK(loaded.classes == expected.classes);
  }
  for (const char* classes : {R"({"label_dict": {"tree": 1, "bird": 0, "car": 3, "boat": 2}, "nms_thresh": 0.05})",
                              R"({"id2label": {"0": "bird", "1": "tree", "2": "boat", "3": "car"}})"}) {
    in.folder.write("config.json", classes);
    const Conversion conversion = convert_weights(in.file, {});
    save_checkpoint(in.folder / "out.safetensors", conversion.checkpoint);
    CHECK(load_model(in.folder / "out.safetensors").classes == std::vector<std::string>{"bird", "tree", "boat", "car"});
    CHECK(contains(conversion.notes[1], "class names: config.json beside the file"));
  }
  in.folder.write("config.json", R"({"architectures": ["RetinaNet"]})");
  CHECK(load_model(in.file).classes == expected.classes);
  for (const char* wrong :
       {R"({"label_dict": {"a": 0, "b": 1, "c": 2}})", R"({"label_dict": {"a": 0, "b": 0}})",
        R"({"label_dict": {"a": 4}})", R"({"label_dict": {"a": "0"}})", R"({"id2label": {"0": "a", "1": "a"}})",
        R"({"id2label": {"-1": "a"}})", R"({"id2label": {"0": 7}})", R"({"label_dict": {"a": 0,})", "no JSON"}) {
    INFO(wrong);
    in.folder.write("config.json", wrong);
    CHECK(contains(error_of([&] { load_model(in.file); }), "config.json: "));
  }
  for (const char* twice : {R"({"id2label": {"0": "a", "1": "b", "2": "c", "3": "a"}})",
                            R"({"id2label": {"0": "a", "1": "b", "01": "c", "2": "d"}})",
                            R"({"label_dict": {"a": 0, "b": 1, "c": 2, "d": 2}})"}) {
    INFO(twice);
    in.folder.write("config.json", twice);
    CHECK(contains(error_of([&] { load_model(in.file); }), "each once"));
  }
}

TEST_CASE("convert: a preset gives the settings, the file the network", "[thorough]") {
  const TorchvisionFile in;
  ConvertOptions options;
  options.preset = "paper";
  options.settings = {"detect.top_k=7"};
  const Conversion conversion = convert_weights(in.file, options);
  const Config config = parse_config(conversion.checkpoint.metadata.at("config"), "x");
  CHECK(config.loss.box == BoxLoss::smooth_l1);
  CHECK(config.detect.top_k == 7);
  CHECK(config.model.backbone == "resnet18");
  REQUIRE(conversion.notes.size() == 2);
  CHECK(contains(conversion.notes[1], "was made with other settings: anchors.round is "));
  options.preset = "papr";
  CHECK(contains(error_of([&] { convert_weights(in.file, options); }), "nearest is paper"));
}

}  // namespace
}  // namespace diopter
