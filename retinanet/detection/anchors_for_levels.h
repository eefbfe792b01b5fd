// Anchors of a batch, as the configuration describes them.
#pragma once

#include <string>
#include <vector>

#include "kernels/detection/anchors.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Anchors of a padded input of width x height whose levels have the sizes of `levels` (min_level first).
///   cell of scale s and ratio r (height / width) on level l: area (size_factor 2^l s)^2, centred on the origin
///   round = torchvision: s size_factor 2^l truncated to an integer, half sides rounded to even
AnchorGrid anchors_for_levels(const Config& config, const Levels& levels, int width, int height);

/// Square root of the area of an anchor of scale `scale` on a level, in pixels of the input.
double anchor_size(const Config::Anchors& anchors, int level, double scale);

/// Keys that decide which boxes the anchors are, but not in which order they stand at a pixel.
const std::vector<std::string>& anchor_box_keys();

/// Anchors per pixel.
int cells_of(const Config::Anchors& anchors);

/// Sizes of the pyramid's levels for a padded input: what the network's output will have.
Levels pyramid_levels(const Config::Model& model, int images, int width, int height);

}  // namespace diopter
