#include "retinanet/config/configure.h"

#include <algorithm>

#include "kernels/base/did_you_mean.h"
#include "kernels/base/text.h"
#include "kernels/detection/anchors.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/keys.h"
#include "retinanet/config/loss_text.h"

namespace diopter {

namespace {

/// Where a key that the configuration lacks is a parameter of other losses: "; loss.kind is focal, ...", else "".
std::string other_losses_hint(const Config& config, const std::string& key) {
  std::vector<std::string> owners;
  for (const AnyLoss& loss : all_losses()) {
    for_each_parameter(loss, [&](const auto& p, float) {
      if (key == std::string("loss.") + p.name) owners.push_back(loss_name(loss));
    });
  }
  if (owners.empty()) return "";
  return std::string("; loss.kind is ") + loss_name(config.loss.kind) + ", this belongs to " + join(owners);
}

void set(Config& config, const std::vector<Key>& keys, const Setting& setting) {
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == setting.key; });
  if (key != keys.end()) return key->set(config, setting.value, setting.where);
  std::string nearest = other_losses_hint(config, setting.key);
  if (nearest.empty()) {
    std::vector<std::string> names;
    for (const Key& k : keys) names.push_back(k.name);
    nearest = hint(setting.key, names);
  }
  throw UnknownKey(setting.key, setting.where, "unknown key " + setting.key + nearest);
}

}  // namespace

void set_config(Config& config, const Setting& setting) { set(config, keys_with(config.loss.kind), setting); }

void apply_settings(Config& config, Settings settings) {
  const auto others = std::stable_partition(settings.begin(), settings.end(),
                                            [](const Setting& setting) { return setting.key == kLossKey; });
  for (auto loss = settings.begin(); loss != others; ++loss) set_config(config, *loss);
  const std::vector<Key>& keys = keys_with(config.loss.kind);
  for (auto setting = others; setting != settings.end(); ++setting) set(config, keys, *setting);
}

void override_config(Config& config, const std::string& text, const std::string& file) {
  apply_settings(config, read_settings(text, file));
}

Config parse_config(const std::string& text, const std::string& file) {
  Config config = config_before_all_keys();
  override_config(config, text, file);
  return config;
}

void check_config(const Config& c) {
  for (const Key& key : keys_with(c.loss.kind)) key.check(c);
  const auto check = [](bool fits, const char* key, const std::string& rule) {
    if (!fits) throw ConfigError(key, "", rule);
  };
  check(c.model.max_level >= c.model.min_level, "model.max_level", "model.max_level must not be below model.min_level");
  check(c.model.head_norm != NormKind::group || c.model.fpn_channels % c.model.groups == 0, "model.groups",
        "model.groups must divide model.fpn_channels");
  check(c.anchors.scales.size() * c.anchors.ratios.size() <= kMaxCells, "anchors.scales",
        "anchors.scales and anchors.ratios must give at most " + std::to_string(kMaxCells) + " anchors per pixel");
  check(c.match.background_iou <= c.match.foreground_iou, "match.background_iou",
        "match.background_iou must not exceed match.foreground_iou");
  check(c.augment.scale_min <= c.augment.scale_max, "augment.scale_min",
        "augment.scale_min must not exceed augment.scale_max");
  check(!c.train.cuda_graph || c.train.accumulate == 1, "train.cuda_graph",
        "train.cuda_graph needs train.accumulate = 1");
  check(c.train.batch_size % c.train.shards == 0, "train.shards",
        "train.shards = " + std::to_string(c.train.shards) +
            " must divide train.batch_size = " + std::to_string(c.train.batch_size));
  check(!c.train.cuda_graph || c.train.shards == 1, "train.cuda_graph", "train.cuda_graph needs train.shards = 1");
  check(c.train.wire == DType::f32 || c.train.shards > 1, "train.wire",
        "train.wire = 'bf16' needs train.shards of 2 or more: one shard sends nothing");
}

}  // namespace diopter
