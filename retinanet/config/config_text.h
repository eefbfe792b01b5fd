// Configurations as text.
#pragma once

#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/config/keys.h"

namespace diopter {

enum class Comments { no, yes };

/// The configuration as TOML, every key, on request with its help behind it; parse_config reads the same values back.
std::string format_config(const Config& config, Comments comments = Comments::no);

/// What the hash of a protocol covers of a configuration: every key, but not those that came later than the first
/// release and have the value from before they existed. A key more does not make old studies those of another protocol.
std::string hashed_text(const Config& config, std::vector<Key> keys);

/// "model.norm_eps is 0.0, not 1e-05" for each of the `keys` whose values in `a` and `b` differ.
std::vector<std::string> differences(const Config& a, const Config& b, const std::vector<std::string>& keys);

}  // namespace diopter
