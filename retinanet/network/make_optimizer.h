// The optimizer that a configuration asks for.
#pragma once

#include <memory>

#include "engine/optimizer.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Over the parameters of a model that require a gradient, with the configuration's weight decay and clipping; the part
/// of it that `owner` has.
std::unique_ptr<Optimizer> make_optimizer(const Config::Train& train, const Module& model, const FlatOwner& owner = {});

}  // namespace diopter
