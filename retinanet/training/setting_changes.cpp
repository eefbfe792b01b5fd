#include "retinanet/training/setting_changes.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "retinanet/config/keys.h"
#include "retinanet/config/loss_text.h"

namespace diopter {

namespace {

constexpr const char* kIterations = "train.iterations";
constexpr const char* kPatience = "train.patience";
constexpr const char* kComment = "# From iteration ";

bool changes_nothing_learned(const Key& key) {
  constexpr const char* kKeys[] = {"train.minutes",        "train.stop_at",    "train.cuda_graph",
                                   "train.evaluate_every", "train.save_every", "train.log_every",
                                   "train.pictures",       "train.workers",    "train.cache_mib"};
  return key.section() == "detect" || std::find(std::begin(kKeys), std::end(kKeys), key.name) != std::end(kKeys);
}

std::string value_text(const Key& key, const Config& config) {
  return key.name == kLossKey ? format_loss(config.loss.kind) : toml_text(key.get(config));
}

}  // namespace

std::vector<SettingChange> setting_changes(const Config& before, const Config& after, std::int64_t iteration) {
  std::vector<SettingChange> changes;
  for (const Key& key : keys_with(after.loss.kind)) {
    if (key.of_loss || changes_nothing_learned(key)) continue;  // the loss is compared with its parameters
    const std::string was = value_text(key, before), is = value_text(key, after);
    if (was != is) changes.push_back({iteration, key.name, was, is});
  }
  return changes;
}

bool is_another_training(const SettingChange& change) { return change.key != kIterations && change.key != kPatience; }

std::string describe(const SettingChange& change) {
  return change.key + " = " + change.after + " (" + change.before + " before)";
}

std::string change_comments(const std::vector<SettingChange>& changes) {
  std::string text;
  for (const SettingChange& change : changes)
    text += kComment + std::to_string(change.iteration) + " on: " + describe(change) + "\n";
  return text;
}

std::vector<std::string> read_change_comments(const std::string& config_text) {
  std::vector<std::string> lines;
  std::istringstream text(config_text);
  for (std::string line; std::getline(text, line) && line.starts_with(kComment);) lines.push_back(line.substr(2));
  return lines;
}

}  // namespace diopter
