#include "retinanet/weights/weights.h"

#include <algorithm>
#include <cmath>

#include "engine/files/torch_file.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/weights/checkpoint_files.h"
#include "retinanet/weights/class_rows.h"
#include "retinanet/weights/coco_classes.h"
#include "retinanet/weights/config_beside.h"
#include "retinanet/weights/foreign_weights.h"

namespace diopter {

namespace {

constexpr const char* kStem = "backbone.body.conv1.weight";

bool is_class_layer(const std::string& name) { return name.find("cls_logits") != std::string::npos; }
bool is_last_layer(const std::string& name) {
  return is_class_layer(name) || name.find("bbox_reg") != std::string::npos;
}

/// Rows of a float tensor's first dimension: row i of the result is row order[i].
Tensor with_rows(const Tensor& tensor, const std::vector<std::int64_t>& order) {
  const std::vector<float> in = tensor.to_vector<float>();
  const std::size_t row = order.empty() ? 0 : in.size() / order.size();
  std::vector<float> out;
  out.reserve(in.size());
  for (std::int64_t from : order) {
    const auto first = in.begin() + static_cast<std::ptrdiff_t>(from * static_cast<std::int64_t>(row));
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(row));
  }
  return Tensor::from(tensor.shape(), out);
}

/// A stem [out, 3, kh, kw] for pictures with the colours in the other order.
Tensor with_flipped_colours(const Tensor& stem) {
  const Shape& s = stem.shape();
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < s[0]; ++i) order.insert(order.end(), {3 * i + 2, 3 * i + 1, 3 * i});
  return with_rows(stem.reshape({s[0] * 3, s[2], s[3]}), order).reshape(s);
}

/// A last layer whose anchors of a pixel stand in the other order; cell = ratio * scales + scale, or scale * ratios +
/// ratio.
Tensor with_other_order(const Tensor& layer, const Config::Anchors& from) {
  const auto scales = static_cast<std::int64_t>(from.scales.size()),
             ratios = static_cast<std::int64_t>(from.ratios.size());
  std::int64_t outer = 0, inner = 0;
  switch (from.order) {
    case AnchorOrder::ratio_major:
      outer = ratios;
      inner = scales;
      break;
    case AnchorOrder::scale_major:
      outer = scales;
      inner = ratios;
      break;
  }
  const std::int64_t values = layer.shape()[0] / (outer * inner);
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < inner; ++i) {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t v = 0; v < values; ++v) order.push_back((o * inner + i) * values + v);
    }
  }
  return with_rows(layer, order);
}

/// Permutes what the two configurations have in another order.
void adapt(std::map<std::string, Tensor>& tensors, const Config& from, const Config& to) {
  const auto stem = tensors.find(kStem);
  const bool colours = stem != tensors.end() && stem->second.dtype() == DType::f32 &&
                       stem->second.shape().rank() == 4 && stem->second.shape()[1] == 3;
  if (from.input.bgr != to.input.bgr && colours) stem->second = with_flipped_colours(stem->second);
  const bool same_anchors =
      from.anchors.scales.size() == to.anchors.scales.size() && from.anchors.ratios.size() == to.anchors.ratios.size();
  if (from.anchors.order == to.anchors.order || !same_anchors) return;
  for (auto& [name, tensor] : tensors) {
    const bool fits =
        tensor.dtype() == DType::f32 && tensor.shape().rank() > 0 && tensor.shape()[0] % cells_of(from.anchors) == 0;
    if (is_last_layer(name) && fits) tensor = with_other_order(tensor, from.anchors);
  }
}

/// Differences between the model and what the weights were made for.
std::vector<std::string> other_settings(const Weights& weights, const Config& to) {
  Config from = weights.state.config;
  if (from.input.bgr != to.input.bgr) {
    std::reverse(from.input.mean.begin(), from.input.mean.end());
    std::reverse(from.input.std.begin(), from.input.std.end());
  }
  std::vector<std::string> keys{"model.stride_in_1x1", "model.norm_eps", "input.mean", "input.std", "input.divisor"};
  if (!weights.backbone_only) {
    keys.push_back("model.p6_from");
    keys.insert(keys.end(), anchor_box_keys().begin(), anchor_box_keys().end());
  }
  return differences(from, to, keys);
}

/// "; they fit --preset NAME", or where their network differs from the model's; "" where it does not.
std::string what_they_fit(const Weights& weights, const Config& to) {
  const std::vector<std::string> here = network_differences(weights, to);
  if (here.empty()) return "";
  for (const std::string& name : preset_names()) {
    if (network_differences(weights, preset(name)).empty()) return "; they fit --preset " + name;
  }
  return "; they were made with another network: " + join(here);
}

/// The last classification layer of the model as a checkpoint holds it.
NamedTensors class_layer(const RetinaNet& model) {
  std::vector<NamedBuffer> layer = model_state(model);
  std::erase_if(layer, [](const NamedBuffer& t) { return !is_class_layer(t.name); });
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", layer);
  return checkpoint.tensors;
}

/// Leaves the model's tensors; where there are moving averages of them, these.
void take_averages(Checkpoint& checkpoint, bool averaged) {
  std::map<std::string, Tensor> averages;
  std::erase_if(checkpoint.tensors, [&](const auto& t) {
    const std::string average = kAveragePrefix;
    if (t.first.starts_with(average)) averages[t.first.substr(average.size())] = t.second;
    return t.first.starts_with(average) || t.first.starts_with(kOptimizerPrefix);
  });
  if (!averaged) return;
  for (const auto& [name, tensor] : averages) checkpoint.tensors[name] = tensor;
}

/// A model for the weights. Their settings may come from anywhere: it takes at most half of the memory that a file of
/// the tensors' size may; the other half is for what the file holds. (A network that is a little larger is made: then
/// the tensor that is missing is named.)
std::unique_ptr<RetinaNet> model_of(const Weights& weights) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : weights.checkpoint.tensors) bytes += static_cast<std::int64_t>(tensor.bytes());
  const double most = 0.5 * static_cast<double>(limits::memory(bytes)) / sizeof(float);
  try {
    return std::make_unique<RetinaNet>(weights.state.config, static_cast<int>(weights.state.classes.size()),
                                       InitialWeights::unset, most);
  } catch (const Error& error) {
    fail(weights.checkpoint.file, ": ", error.what());
  }
}

/// Throws Error naming the first tensor with a value that is not finite: it would find nothing, without a word.
void check_finite(const RetinaNet& model, const std::string& file) {
  for (const NamedBuffer& t : model_state(model)) {
    const float* values = t.tensor.data<float>();
    const auto bad = std::count_if(values, values + t.tensor.size(), [](float v) { return !std::isfinite(v); });
    DIOPTER_CHECK(bad == 0, file, ": tensor ", t.name, " has ", bad, " values that are not finite, of ",
                  t.tensor.size());
  }
}

/// What `check` says of settings from a stranger's file, or that follow from its tensors.
template <class Check>
void check_settings(const Weights& weights, Check check) {
  try {
    check(weights.state.config);
  } catch (const Error& error) {
    fail(weights.checkpoint.file, " (configuration): ", error.what());
  }
}

/// Class names of the config.json beside the file, where there is one that names them.
void take_names_beside(Weights& weights) {
  if (weights.backbone_only) return;
  const std::vector<std::string> names =
      class_names_beside(weights.checkpoint.file, static_cast<int>(weights.state.classes.size()));
  if (names.empty()) return;
  weights.state.classes = names;
  weights.names_known = true;
  weights.notes.push_back("class names: config.json beside the file");
}

/// Each value alone: numbers of levels and sizes that nothing breaks.
void check_ranges(const Config& config) {
  for (const Key& key : keys_with(config.loss.kind)) key.check(config);
}

void check_network(const Config& config) {
  check_config(config);
  check_backbone(config.model);
}

}  // namespace

Weights read_weights(const std::string& name) {
  const std::string file = weights_file(name);
  return weights_of(is_torch_file(file) ? load_torch_file(file) : load_checkpoint(file));
}

Weights weights_of(Checkpoint checkpoint) {
  Weights weights;
  weights.checkpoint = std::move(checkpoint);
  if (is_diopter_checkpoint(weights.checkpoint)) {
    weights.state = parse_run_state(weights.checkpoint);
    weights.kind = "Diopter RetinaNet with " + weights.state.config.model.backbone;
    weights.backbone_only = weights.state.classes.empty();
    take_averages(weights.checkpoint, weights.state.average_updates > 0);
    check_settings(weights, check_ranges);
    return weights;
  }
  const ForeignWeights foreign = recognise(weights.checkpoint);
  weights.kind = foreign.kind + " with " + foreign.config.model.backbone;
  weights.foreign = true;
  weights.state.config = foreign.config;
  weights.backbone_only = foreign.outputs == 0;
  weights.labels_are_ids = foreign.labels_are_ids;
  weights.notes = foreign.notes;
  check_settings(weights, check_ranges);
  for (const Category& c : default_classes(foreign.outputs, foreign.labels_are_ids, weights.names_known)) {
    weights.state.classes.push_back(c.name);
    weights.state.category_ids.push_back(c.id);
  }
  take_names_beside(weights);
  return weights;
}

std::vector<Category> default_classes(int outputs, bool labels_are_ids, bool& known) {
  const std::vector<Category>& coco = coco_classes();
  known = true;
  if (outputs == static_cast<int>(coco.size()) && !labels_are_ids) return coco;
  std::vector<Category> classes;
  known = labels_are_ids && outputs == coco.back().id + 1;
  for (int i = 0; i < outputs; ++i) {
    classes.push_back({labels_are_ids ? i : i + 1, (known ? "unused " : "class ") + std::to_string(i)});
  }
  for (const Category& c : coco) {
    if (known) classes[static_cast<std::size_t>(c.id)].name = c.name;
  }
  return classes;
}

std::vector<std::string> load_into(const RetinaNet& model, const Weights& weights,
                                   const std::vector<std::string>& classes) {
  Checkpoint source = weights.checkpoint;
  const Config& from = weights.state.config;
  if (weights.foreign) source.file += ": read as " + weights.kind;
  const std::string& file = source.file;
  adapt(source.tensors, from, model.config());

  std::vector<std::string> messages;
  if (!classes.empty() && !weights.backbone_only && classes != weights.state.classes) {
    if (weights.names_known) {
      const NamedTensors rows = with_class_rows(source.tensors, weights.state.classes, class_layer(model), classes);
      for (const auto& [name, layer] : rows) source.tensors[name] = layer;
      if (!rows.empty()) messages.push_back(file + ": " + describe_class_rows(weights.state.classes, classes));
    } else if (classes.size() == weights.state.classes.size()) {
      messages.push_back(file + ": names no classes; the last classification layer is kept, in its order");
    }
  }
  std::vector<NamedBuffer> wanted;
  const bool other_count = static_cast<int>(weights.state.classes.size()) != model.classes();
  bool other_classes = false;
  for (const NamedBuffer& t : model_state(model)) {
    const auto found = source.tensors.find(t.name);
    const bool stored = found != source.tensors.end() && found->second.shape().rank() > 0;
    if (weights.backbone_only && !is_of_backbone(t.name)) continue;
    if (other_count && is_class_layer(t.name) && stored && found->second.shape()[0] != t.tensor.shape()[0]) {
      source.tensors.erase(found);
      other_classes = true;
    } else {
      wanted.push_back(t);
    }
  }
  try {
    get_tensors(source, "", wanted);
  } catch (const Error& error) {
    fail(error.what(), what_they_fit(weights, model.config()));
  }
  if (weights.backbone_only) messages.push_back(file + ": holds a backbone only; pyramid and heads start afresh");
  if (other_classes) {
    messages.push_back(file + ": has other classes (" + std::to_string(weights.state.classes.size()) + ", not " +
                       std::to_string(model.classes()) + "); the last classification layer starts afresh");
  }
  const std::string settings = join(other_settings(weights, model.config()));
  if (!settings.empty()) messages.push_back(file + ": was made with other settings: " + settings);
  return messages;
}

std::vector<std::string> network_differences(const Weights& weights, const Config& config) {
  std::vector<std::string> keys{"model.backbone", "model.width", "model.norm"};
  if (!weights.backbone_only) {
    keys.insert(keys.end(), {"model.min_level", "model.max_level", "model.p6_from", "model.fpn_channels",
                             "model.head_depth", "model.head_norm"});
  }
  const Config& from = weights.state.config;
  const auto has_groups = [&](const Config& c) {
    return c.model.norm == NormKind::group || (!weights.backbone_only && c.model.head_norm == NormKind::group);
  };
  if (has_groups(from) && has_groups(config)) keys.push_back("model.groups");
  std::vector<std::string> all = differences(from, config, keys);
  if (!weights.backbone_only && cells_of(from.anchors) != cells_of(config.anchors)) {
    all.push_back("a pixel has " + std::to_string(cells_of(from.anchors)) + " anchors, not " +
                  std::to_string(cells_of(config.anchors)));
  }
  return all;
}

LoadedModel load_model(const std::string& name, Device device, const Settings& settings) {
  return model_with(read_weights(name), device, settings);
}

LoadedModel model_with(Weights weights, Device device, const Settings& settings) {
  const std::string& file = weights.checkpoint.file;
  for (const Setting& setting : settings) {
    DIOPTER_CHECK(setting.key.starts_with("detect."), setting.where,
                  ": a trained model takes keys of detect.* only; others need training");
  }
  apply_settings(weights.state.config, settings);
  if (!settings.empty()) check_config(weights.state.config);
  DIOPTER_CHECK(!weights.backbone_only, file,
                ": holds a backbone only, which can be a start (model.weights) but cannot detect");
  LoadedModel loaded{model_of(weights), weights.state.classes, weights.state.category_ids, weights.state.thresholds};
  load_into(*loaded.model, weights);
  check_settings(weights, check_network);  // of tensors that fit: else what does not fit is said
  check_finite(*loaded.model, file);
  loaded.model->set_training(false);
  loaded.model->move_to(device);
  loaded.model->set_precision(weights.state.config.detect.precision);
  return loaded;
}

}  // namespace diopter
