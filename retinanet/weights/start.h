// What a new network starts from: model.weights.
#pragma once

#include <string>
#include <vector>

#include "retinanet/network/retinanet.h"

namespace diopter {

/// The value of model.weights that takes the built-in weights where the network is theirs.
inline constexpr const char* kAutoWeights = "auto";

/// Whether a network of the configuration begins as it is initialised: model.weights is empty, or "auto" and the
/// built-in weights are of another network.
bool starts_afresh(const Config& config);

/// Starts a new network from model.weights of its configuration; `classes` as load_into has them. Returns what there is
/// to say about it, as one line, "" when there is nothing. Throws Error as read_weights and load_into do.
std::string start(const RetinaNet& model, const std::vector<std::string>& classes = {});

}  // namespace diopter
