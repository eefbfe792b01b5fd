#include "retinanet/weights/convert.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/network/backbone.h"
#include "retinanet/weights/foreign_weights.h"

namespace diopter {

namespace {

std::vector<Category> class_list(const std::string& file) {
  std::vector<Category> classes;
  if (extension_of(file) == ".json") {
    classes = read_coco(file, {.find_pictures = false}).categories;
  } else {
    for (const std::string& line : read_lines(file)) {
      const std::string name(trim(line));
      if (!name.empty()) classes.push_back({static_cast<std::int64_t>(classes.size()) + 1, name});
    }
  }
  DIOPTER_CHECK(!classes.empty(), file, ": names no classes");
  std::set<std::string> names;
  for (const Category& c : classes) DIOPTER_CHECK(names.insert(c.name).second, file, ": names '", c.name, "' twice");
  return classes;
}

/// Names outputs of the weights by their ids; false when the list is not about these outputs.
bool name_by_id(const Weights& weights, const std::vector<Category>& wanted, ClassList& classes) {
  const auto& ids = weights.state.category_ids;
  ClassList named{weights.state.classes, ids};
  if (!weights.names_known) {
    if (!weights.labels_are_ids) return false;
    for (std::size_t i = 0; i < ids.size(); ++i) named.names[i] = "unused " + std::to_string(ids[i]);
  }
  for (const Category& c : wanted) {
    const auto found = std::find(ids.begin(), ids.end(), c.id);
    if (found == ids.end()) return false;
    std::string& name = named.names[static_cast<std::size_t>(found - ids.begin())];
    if (weights.names_known && name != c.name) return false;
    name = c.name;
  }
  classes = named;
  return true;
}

std::string text(const std::vector<double>& values, double factor) {
  std::ostringstream out;
  for (std::size_t i = 0; i < values.size(); ++i) out << (i ? ", " : "[") << values[i] * factor;
  return out.str() + "]";
}

/// The same network for torchvision: colours as RGB, anchors ratio-major. Throws Error for what its ResNet, pyramid and
/// heads cannot be.
Config torchvision_config(const std::string& file, Config config) {
  const Config::Model& m = config.model;
  const auto refuse = [&](bool refused, const auto&... reason) {
    DIOPTER_CHECK(!refused, file, ": torchvision has no such network: ", reason...);
  };
  const std::optional<ResNetSpec> resnet = resnet_spec(m);
  refuse(!resnet || resnet->small_stem, "model.backbone is ", m.backbone);
  refuse(m.norm == NormKind::group, "model.norm is group");
  refuse(resnet->bottleneck && m.stride_in_1x1, "model.stride_in_1x1 is true, its ResNets have the stride in the 3x3");
  refuse(m.max_level != 7, "model.max_level is ", m.max_level, ", its pyramids end with level 7");
  refuse(m.head_depth != 4, "model.head_depth is ", m.head_depth, ", its heads have 4 convolutions before the last");
  refuse(m.head_norm == NormKind::group && m.groups != 32, "model.groups is ", m.groups,
         ", its heads have norms of 32 groups");
  if (config.input.bgr) {
    config.input.bgr = false;
    std::reverse(config.input.mean.begin(), config.input.mean.end());
    std::reverse(config.input.std.begin(), config.input.std.end());
  }
  config.anchors.order = AnchorOrder::ratio_major;
  return config;
}

/// Settings that torchvision must be told, because they are not in the weights.
void note_torchvision_arguments(const Config& config, std::vector<std::string>& notes) {
  const Config usual = preset("torchvision");
  if (!differences(config, usual, {"input.mean", "input.std", "input.divisor"}).empty()) {
    const double factor = config.input.divisor / 255;  // torchvision's pictures have values from 0 to 1
    notes.push_back("torchvision must be given image_mean=" + text(config.input.mean, factor) +
                    " and image_std=" + text(config.input.std, factor));
  }
  if (config.model.norm_eps != usual.model.norm_eps) {
    std::ostringstream eps;
    eps << config.model.norm_eps;
    notes.push_back("torchvision must be told the norms' eps: torchvision.models._utils.overwrite_eps(model, " +
                    eps.str() + ")");
  }
  for (const std::string& difference : differences(config, usual, anchor_box_keys())) {
    notes.push_back("torchvision's anchors are others: here " + difference);
  }
}

/// PyTorch's batch norms count their batches: the numbers of the file, or the steps of the run.
void put_batch_counts(Checkpoint& checkpoint, const Weights& weights) {
  const std::string mean = ".running_mean";
  std::vector<std::string> norms;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (name.ends_with(mean)) norms.push_back(name.substr(0, name.size() - mean.size()));
  }
  const std::int64_t batches = weights.state.iteration * weights.state.config.train.accumulate;
  for (const std::string& norm : norms) {
    const auto counted = weights.checkpoint.tensors.find(norm + kBatchCount);
    checkpoint.tensors[norm + kBatchCount] =
        counted != weights.checkpoint.tensors.end()
            ? counted->second
            : Tensor::from({}, std::vector<std::int32_t>{static_cast<std::int32_t>(batches)});
  }
}

}  // namespace

ClassList chosen_classes(const Weights& weights, const std::string& wanted) {
  ClassList classes{weights.state.classes, weights.state.category_ids};
  if (wanted.empty()) return classes;
  DIOPTER_CHECK(!weights.backbone_only, weights.checkpoint.file, ": holds a backbone only, which has no classes");
  int count = 0;
  const char* end = wanted.data() + wanted.size();
  const auto [parsed, fault] = std::from_chars(wanted.data(), end, count);
  std::vector<Category> list;
  if (fault == std::errc() && parsed == end) {
    DIOPTER_CHECK(count >= 1 && count <= 100000, "--classes ", wanted, ": must lie between 1 and 100000");
    if (count == static_cast<int>(classes.names.size())) return classes;
    bool known = false;
    list = default_classes(count, false, known);
  } else {
    list = class_list(wanted);
    if (name_by_id(weights, list, classes)) return classes;
  }
  classes = {};
  for (const Category& c : list) {
    classes.names.push_back(c.name);
    classes.ids.push_back(c.id);
  }
  return classes;
}

Conversion convert_weights(const std::string& file, const ConvertOptions& options) {
  Weights weights = read_weights(file);
  const Settings settings = parse_settings(options.settings);
  apply_settings(weights.state.config, settings);
  Config config = weights.state.config;
  if (!options.preset.empty()) {
    config = preset(options.preset);
    config.model = weights.state.config.model;
    apply_settings(config, settings);
  }
  config.model.weights = "";
  check_config(config);
  DIOPTER_CHECK(!(options.to_torchvision && weights.backbone_only), file,
                ": holds a backbone only; --to torchvision is for detectors");
  if (options.to_torchvision) config = torchvision_config(file, config);

  Conversion result;
  const ClassList classes = chosen_classes(weights, options.classes);
  result.notes.push_back(
      file + ": " + weights.kind +
      (weights.backbone_only ? "" : ", " + std::to_string(weights.state.classes.size()) + " classes"));
  result.notes.insert(result.notes.end(), weights.notes.begin(), weights.notes.end());

  const RetinaNet model(config, std::max<int>(1, static_cast<int>(classes.names.size())));
  const std::vector<std::string> messages = load_into(model, weights);
  result.notes.insert(result.notes.end(), messages.begin(), messages.end());
  std::vector<NamedBuffer> state = model_state(model);
  if (weights.backbone_only) std::erase_if(state, [](const NamedBuffer& t) { return !is_of_backbone(t.name); });
  put_tensors(result.checkpoint, "", state);
  const bool counts = config.model.norm == NormKind::batch || config.model.norm == NormKind::sync_batch;
  if (counts) put_batch_counts(result.checkpoint, weights);

  if (options.to_torchvision) {
    result.checkpoint.metadata = {{"format", "pt"}};
    note_torchvision_arguments(config, result.notes);
    return result;
  }
  RunState run;
  run.config = config;
  run.classes = classes.names;
  run.category_ids = classes.ids;
  run.normaliser = config.loss.ema_start;
  put_run_state(result.checkpoint, run);
  return result;
}

}  // namespace diopter
