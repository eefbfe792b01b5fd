// Settings: keys with values that override parts of a configuration.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "retinanet/config/value.h"

namespace diopter {

struct Setting {
  Setting(std::string key_, Value value_, std::string where_ = "")
      : key(std::move(key_)), value(std::move(value_)), written(setting_text(value)), where(std::move(where_)) {}
  /// "train.lr=0.02", "anchors.ratios=[1, 2]", "loss.box=giou", "loss.kind=focal:gamma=1": the value is TOML or a bare
  /// word. The place is "--set train.lr=0.02". Throws Error when there is no "=".
  Setting(const std::string& assignment);
  Setting(const char* assignment) : Setting(std::string(assignment)) {}

  /// "train.lr=0.020", as it was written.
  std::string text() const { return key + "=" + written; }

  std::string key;
  Value value;
  std::string written;  // the value as it was written
  std::string where;    // the place that messages name
};
using Settings = std::vector<Setting>;

/// "key=value" from another place than the command line.
Setting parse_setting(const std::string& assignment, const std::string& where);

/// "key=value" each.
inline Settings parse_settings(const std::vector<std::string>& assignments) {
  return {assignments.begin(), assignments.end()};
}

/// The settings of a TOML text, sorted by their keys; the place of each is "FILE:LINE". Throws Error for what is no
/// TOML.
Settings read_settings(const std::string& text, const std::string& file);

}  // namespace diopter
