// Presets: complete configurations to start from, the files presets/*.toml.
#pragma once

#include <string>
#include <vector>

#include "retinanet/config/config.h"

namespace diopter {

std::vector<std::string> preset_names();

/// The preset's file. Throws Error that names the nearest preset.
const std::string& preset_text(const std::string& name);

/// The same made anew: the file's first comment, then every key with its value in the preset and its help.
std::string format_preset(const std::string& name);

Config preset(const std::string& name);

}  // namespace diopter
