// Table of the configuration's keys: a row says all that is known of a key.
#pragma once

#include <vector>

#include "retinanet/config/key.h"

namespace diopter {

/// All keys of a configuration with this loss, in the order of files; the loss's parameters come after loss.kind.
const std::vector<Key>& keys_with(const AnyLoss& loss);

/// A configuration in which every key has the value from before it existed.
Config config_before_all_keys();

}  // namespace diopter
