// The convolutions that a network asks for, without computing them.
#pragma once

#include <vector>

#include "engine/shapes_only.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Those of one picture of height x width pixels in the order of the forward pass, as training asks for them, with
/// gradients, or as detection does, whose norms are fixed.
std::vector<ConvolutionCall> convolutions_of(const Config& config, int classes, DType precision, bool training,
                                             int height, int width);

}  // namespace diopter
