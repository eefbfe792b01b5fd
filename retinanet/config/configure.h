// Configurations from settings and files, and whether their values go together.
#pragma once

#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/config/setting.h"

namespace diopter {

/// Overrides one key. Throws UnknownKey that names the nearest key, and ConfigError that says which type or which names
/// the key wants; ranges are check_config's.
void set_config(Config& config, const Setting& setting);

/// Overrides several keys in their order, but loss.kind, which gives the loss's parameters their defaults, before all
/// others.
void apply_settings(Config& config, Settings settings);

/// Overrides the keys that a TOML text has.
void override_config(Config& config, const std::string& text, const std::string& file);

/// A configuration from TOML text. A key that it lacks has the value that the table of keys (keys.h) gives to files
/// from before the key existed, a parameter of the loss its default.
Config parse_config(const std::string& text, const std::string& file);

/// Throws ConfigError without a place for the first key whose value is out of range or does not go with another's.
void check_config(const Config& config);

}  // namespace diopter
