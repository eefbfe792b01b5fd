// Exported models, parsed back through ONNX's own protobuf messages.
#include "retinanet/onnx/export.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>
#include <set>

#include "kernels/base/json.h"
#include "retinanet/config/config_text.h"
#include "tests/retinanet/support.h"

using namespace diopter;
using namespace diopter::test;

namespace {

const std::vector<OnnxClass> kClasses{{"cat", 3}, {"dog", 7}};

struct Exported {
  onnx::ModelProto model;
  std::map<std::string, std::string> metadata;
  std::map<std::string, int> nodes;  // by operator

  explicit Exported(const Config& config, const OnnxOptions& options = {}) {
    RetinaNet network(config, 2);
    network.set_training(false);
    network.set_precision(DType::f32);
    REQUIRE(model.ParseFromString(onnx_model(network, kClasses, options)));
    for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
    for (const auto& node : model.graph().node()) ++nodes[node.op_type()];
  }
  nlohmann::json json(const std::string& key) const { return parse_json(metadata.at(key)); }
};

/// "images:2[batch,height,width,3]": name, type and sizes of inputs or outputs, one a line.
template <class Values>
std::string described(const Values& values) {
  std::string text;
  for (const onnx::ValueInfoProto& value : values) {
    const auto& type = value.type().tensor_type();
    text += value.name() + ":" + std::to_string(type.elem_type()) + "[";
    for (int i = 0; i < type.shape().dim_size(); ++i) {
      const auto& dim = type.shape().dim(i);
      text += (i ? "," : "") + (dim.dim_param().empty() ? std::to_string(dim.dim_value()) : dim.dim_param());
    }
    text += "]\n";
  }
  return text;
}

}  // namespace

TEST_CASE("onnx: inputs and outputs have open sizes and the types that docs/onnx.md states") {
  const Exported bytes(tiny_config());
  CHECK(bytes.model.opset_import(0).version() == 17);
  CHECK(described(bytes.model.graph().input()) ==
        "images:2[batch,height,width,3]\nsizes:7[batch,2]\noriginal_sizes:7[batch,2]\n");
  CHECK(described(bytes.model.graph().output()) ==
        "boxes:1[batch,detections,4]\nscores:1[batch,detections]\nlabels:7[batch,detections]\ncounts:7[batch]\n");
  const Exported raw(tiny_config(), {.pictures = OnnxOptions::Pictures::floats, .raw = true, .thresholds = {}});
  CHECK(described(raw.model.graph().input()) == "images:1[batch,3,height,width]\nsizes:7[batch,2]\n");
  CHECK(described(raw.model.graph().output()) == "logits:1[batch,anchors,2]\ndeltas:1[batch,anchors,4]\n");
  CHECK(raw.nodes.count("NonMaxSuppression") == 0);
  CHECK(bytes.nodes.at("NonMaxSuppression") == 1);
}

TEST_CASE("onnx: every value is made before it is used, once, and all constants are used") {
  const Exported exported(tiny_config({"detect.clip_before_nms=false"}), {.thresholds = {0.1f, 0.2f}});
  std::set<std::string> made, used;
  for (const auto& input : exported.model.graph().input()) REQUIRE(made.insert(input.name()).second);
  for (const auto& constant : exported.model.graph().initializer()) REQUIRE(made.insert(constant.name()).second);
  for (const auto& node : exported.model.graph().node()) {
    for (const std::string& input : node.input()) {
      INFO(node.name() << " of " << input);
      CHECK((input.empty() || made.count(input) == 1));
      used.insert(input);
    }
    for (const std::string& output : node.output()) REQUIRE(made.insert(output).second);
  }
  for (const auto& constant : exported.model.graph().initializer()) {
    INFO(constant.name());
    CHECK(used.count(constant.name()) == 1);
  }
}

TEST_CASE("onnx: parameters keep their names and are [out, in, k, k], and levels share them") {
  const Config config = tiny_config();
  const Exported exported(config);
  RetinaNet network(config, 2);
  const auto& constants = exported.model.graph().initializer();
  int found = 0;
  for (const NamedParameter& p : network.parameters()) {
    const auto is = [&](const onnx::TensorProto& t) { return t.name() == p.name; };
    INFO(p.name);
    REQUIRE(std::count_if(constants.begin(), constants.end(), is) == 1);
    if (p.variable.shape().rank() != 4) continue;
    const onnx::TensorProto& tensor = *std::find_if(constants.begin(), constants.end(), is);
    const Shape s = p.variable.shape();
    REQUIRE(std::vector<std::int64_t>(tensor.dims().begin(), tensor.dims().end()) ==
            std::vector<std::int64_t>{s[0], s[3], s[1], s[2]});
    const float* stored = reinterpret_cast<const float*>(tensor.raw_data().data());
    const std::vector<float> ours = p.variable.value().to_vector<float>();
    const std::int64_t last_tap = s[1] * s[2] - 1;
    CHECK(stored[last_tap] == ours[last_tap * s[3]]);                          // out 0, in 0, last tap
    CHECK(stored[s[1] * s[2]] == (s[3] > 1 ? ours[1] : stored[s[1] * s[2]]));  // out 0, in 1, first tap
    ++found;
  }
  CHECK(found > 10);
}

TEST_CASE("onnx: the metadata hold classes, rules and the configuration") {
  const Config config = tiny_config({"detect.nms_iou=0.25"});
  const Exported exported(config, {.thresholds = {0.25f, 0.5f}, .best_scores = {0.375, 0.625}});
  CHECK(exported.json("classes") == nlohmann::json({"cat", "dog"}));
  CHECK(exported.json("category_ids") == nlohmann::json({3, 7}));
  CHECK(exported.json("input")["layout"] == "NHWC");
  CHECK(exported.json("input")["resize"] == "longer_side");
  CHECK(exported.json("input")["max_size"] == 32);
  CHECK(exported.json("input")["tile"] == 0);
  CHECK(exported.json("detect")["nms_iou"] == 0.25);
  CHECK(exported.json("detect")["thresholds"] == nlohmann::json({0.25, 0.5}));
  CHECK(exported.json("detect")["best_scores"] == nlohmann::json({0.375, 0.625}));
  CHECK(exported.metadata.at("config") == format_config(config));
}

TEST_CASE("onnx: 16-bit models store 16-bit weights and take the opset that has them") {
  const auto types = [](const Exported& exported) {
    std::map<int, int> counts;
    for (const auto& constant : exported.model.graph().initializer()) {
      if (constant.name().ends_with("conv1.weight")) ++counts[constant.data_type()];
    }
    return counts;
  };
  const Exported half(tiny_config(), {.precision = OnnxOptions::Precision::fp16, .thresholds = {}});
  const Exported brain(tiny_config(), {.precision = OnnxOptions::Precision::bf16, .thresholds = {}});
  REQUIRE(types(half).size() == 1);
  CHECK(types(half).begin()->first == onnx::TensorProto::FLOAT16);
  REQUIRE(types(brain).size() == 1);
  CHECK(types(brain).begin()->first == onnx::TensorProto::BFLOAT16);
  CHECK(half.model.opset_import(0).version() == 17);
  CHECK(brain.model.opset_import(0).version() == 22);
}

TEST_CASE("onnx: what cannot be exported is an error") {
  RetinaNet network(tiny_config(), 2);
  network.set_precision(DType::bf16);
  CHECK(error_of([&] { onnx_model(network, kClasses, {}); }) == "a detector is exported from the CPU, in float");
  RetinaNet batch(tiny_config({"model.norm=batch"}), 2);  // in training: norms by the batch's statistics
  CHECK(error_of([&] { onnx_model(batch, kClasses, {}); }).find("by an operation that cannot be exported") !=
        std::string::npos);
  RetinaNet large(tiny_config(), 2);
  for (const NamedParameter& p : large.parameters()) {
    if (p.name != "backbone.body.conv1.weight") continue;
    p.variable.value().copy_from(Tensor::full(p.variable.shape(), 1e6f));
  }
  CHECK(error_of([&] { onnx_model(large, kClasses, {.precision = OnnxOptions::Precision::fp16, .thresholds = {}}); }) ==
        "backbone.body.conv1.weight: 1e+06 is too large a weight for this --precision");
}
