// Presets: complete configurations to start from, the files presets/*.toml.
#pragma once

#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/config/setting.h"

namespace diopter {

std::vector<std::string> preset_names();

/// The preset's file. Throws Error that names the nearest preset.
const std::string& preset_text(const std::string& name);

/// The same made anew: the file's first comment, then every key with its value in the preset and its help.
std::string format_preset(const std::string& name);

Config preset(const std::string& name);

/// The name of what the preset was when it was first released, which protocols mean by it: `small` was `small_sgd`,
/// every other preset is still itself.
const std::string& original_preset(const std::string& name);

/// All settings of the preset that a run of this configuration was begun with, with `others` on top: of the original
/// where that has the run's optimizer and today's has not. Without what presets have that they did not have when they
/// were first released, for runs without it: model.weights, and the augmentation that comes with augment.ramp_epochs.
Settings preset_settings_of_run(const std::string& name, const Settings& others, const Config& run);

}  // namespace diopter
