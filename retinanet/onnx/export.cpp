#include "retinanet/onnx/export.h"

#include <google/protobuf/stubs/common.h>

#include "engine/trace.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/names.h"
#include "retinanet/network/input.h"
#include "retinanet/onnx/detection_nodes.h"
#include "retinanet/onnx/graph.h"
#include "retinanet/onnx/input_nodes.h"
#include "retinanet/onnx/network_nodes.h"

namespace diopter {

using namespace onnx_export;
using nlohmann::ordered_json;

namespace {

constexpr int kTracedSide = 64;  // of the picture that the traced forward pass sees; its size is in no node

Element element_of(OnnxOptions::Precision precision) {
  switch (precision) {
    case OnnxOptions::Precision::f32: return Element::f32;
    case OnnxOptions::Precision::bf16: return Element::bf16;
    case OnnxOptions::Precision::fp16: return Element::f16;
  }
  fail("no such precision");
}

/// What `images` is, and how it is made of a picture.
ordered_json input_rule(const Config::Input& input, const OnnxOptions& options) {
  const bool bytes = options.pictures == OnnxOptions::Pictures::bytes;
  return {{"layout", bytes ? "NHWC" : "NCHW"},
          {"type", bytes ? "uint8" : "float32"},
          {"range", bytes ? ordered_json{0, 255} : ordered_json{0, 1}},
          {"channels", "RGB"},
          {"resize", name_of(kResizes, input.resize)},
          {"min_size", input.min_sizes.back()},
          {"max_size", input.max_size},
          {"enlarge", input.enlarge},
          {"filter", name_of(kResizeFilters, input.filter)},
          {"round", input.round},
          {"float_scale", input.float_scale},
          {"divisor", input.size_divisor},
          {"tile", input.tile},
          {"tile_overlap", input.tile_overlap},
          {"tile_whole", input.tile_whole}};
}

ordered_json detection_rule(const Config::Detect& detect, const OnnxOptions& options) {
  ordered_json rule{{"score_threshold", detect.score_threshold},
                    {"top_k", detect.top_k},
                    {"nms_iou", detect.nms_iou},
                    {"class_aware", detect.class_aware},
                    {"max_detections", detect.max_detections},
                    {"clip_before_nms", detect.clip_before_nms}};
  if (!options.thresholds.empty()) rule["thresholds"] = options.thresholds;
  if (!options.best_scores.empty()) rule["best_scores"] = options.best_scores;
  return rule;
}

void add_metadata(Graph& graph, const Config& config, const std::vector<OnnxClass>& classes,
                  const OnnxOptions& options) {
  ordered_json names = ordered_json::array(), ids = ordered_json::array();
  for (const OnnxClass& c : classes) {
    names.push_back(c.name);
    ids.push_back(c.id);
  }
  graph.metadata("classes", json_text(names));
  graph.metadata("category_ids", json_text(ids));
  graph.metadata("input", json_text(input_rule(config.input, options)));
  if (!options.raw) graph.metadata("detect", json_text(detection_rule(config.detect, options)));
  graph.metadata("config", format_config(config));
}

}  // namespace

std::string onnx_library() {
  return "opset " + std::to_string(kOpset) + ", protobuf " +
         google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION);
}

std::string onnx_model(const RetinaNet& model, const std::vector<OnnxClass>& classes, const OnnxOptions& options) {
  const Config& config = model.config();
  DIOPTER_CHECK(model.device() == Device::cpu && model.precision() == DType::f32,
                "a detector is exported from the CPU, in float");
  Graph graph(element_of(options.precision));
  const InputNodes input = add_input(graph, config.input, options.pictures);

  const Trace trace;
  const Variable images(Tensor::zeros({1, kTracedSide, kTracedSide, 3}));
  const RetinaNet::Output output = model(images);
  const NetworkNodes network(graph, trace, images.value(), input.images);
  const HeadNodes heads{network.names(output.logits.rows.value()), network.names(output.deltas.rows.value())};

  if (options.raw) {
    add_raw_outputs(graph, heads, model.classes());
  } else {
    add_detections(graph, heads, input, config, output.grid, model.classes(), options.thresholds);
  }
  add_metadata(graph, config, classes, options);
  return graph.bytes();
}

}  // namespace diopter
