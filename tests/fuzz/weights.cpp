// Weights: safetensors, pickles, files of torch.save, and detection with a checkpoint whose settings are a stranger's.
#include "retinanet/weights/weights.h"
#include "data/pictures/augment.h"
#include "engine/files/pickle.h"
#include "engine/files/torch_file.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/input.h"
#include "tests/fuzz/target.h"

namespace diopter::fuzz {
namespace {

/// And what the tensors are recognised as.
void safetensors(std::string_view input) { read_weights(in_memory(input)); }

void pickle(std::string_view input) {
  const Pickle read(input, 0, "input.pkl", {"collections.OrderedDict", "_codecs.encode", "torch.FloatStorage"});
  read.value().find("model");
}

void torch_file(std::string_view input) { load_torch_file(in_memory(input)); }

/// A tiny network with all its tensors.
Checkpoint tiny_checkpoint() {
  RunState state;
  state.config = preset("small");
  Config::Model& model = state.config.model;
  model.width = 4;
  model.groups = 2;
  model.fpn_channels = 4;
  model.head_depth = 1;
  model.max_level = 3;
  state.config.input.min_sizes = {16};
  state.config.input.max_size = 16;
  state.config.anchors.scales = {1};
  state.config.anchors.ratios = {1};
  state.classes = {"a"};
  state.category_ids = {1};
  Checkpoint checkpoint;
  put_run_state(checkpoint, state);
  put_tensors(checkpoint, "", model_state(RetinaNet(state.config, 1)));
  return checkpoint;
}

/// Configuration, a zero byte, classes, a zero byte, category ids: of a checkpoint that detects in a tiny picture.
void checkpoint(std::string_view input) {
  static const Checkpoint tiny = tiny_checkpoint();
  const auto parts = split(input, 3);
  Checkpoint hostile = tiny;
  hostile.metadata["config"] = parts[0];
  if (!parts[1].empty()) hostile.metadata["classes"] = parts[1];
  if (!parts[2].empty()) hostile.metadata["category_ids"] = parts[2];
  const LoadedModel loaded = model_with(weights_of(std::move(hostile)));
  const Config& config = loaded.model->config();
  const LoaderOptions options = loader_options(config);
  static const Image image{8, 6, std::vector<std::uint8_t>(144, 100)};
  const Sample sample = prepare(image, {}, options.resize, options.normalisation);
  constexpr std::int64_t kPixels = 1 << 18;  // more are honest work: 1333 x 1000 take two seconds under sanitizers
  if (std::int64_t{sample.width} * sample.height > kPixels) return;
  detect(*loaded.model, collate({sample}, options.divisor));
}

constexpr Target kWeights[] = {
    {"safetensors", safetensors}, {"pickle", pickle}, {"torch_file", torch_file}, {"checkpoint", checkpoint}};

}  // namespace

std::span<const Target> weight_targets() { return kWeights; }

}  // namespace diopter::fuzz
