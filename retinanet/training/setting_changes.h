// Settings that change when a run is resumed: the rest of it is another training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/weights/run_state.h"

namespace diopter {

/// What is different in `after`, but for settings that change nothing of what is learned: how often is saved and
/// evaluated, threads, memory, everything of detection, and where to stop.
std::vector<SettingChange> setting_changes(const Config& before, const Config& after, std::int64_t iteration);

/// Whether a run may only go on with the change when the user says that it is meant: all but another length.
bool is_another_training(const SettingChange& change);

/// "train.lr = 0.3 (0.1 before)"
std::string describe(const SettingChange& change);

/// Comments at the beginning of config.toml, a line for each change: "# From iteration 20 on: train.lr = ...".
std::string change_comments(const std::vector<SettingChange>& changes);

/// The lines of such comments in a config.toml, without their "# ".
std::vector<std::string> read_change_comments(const std::string& config_text);

}  // namespace diopter
