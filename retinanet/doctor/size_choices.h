// Sizes at which the network may see the objects: inputs and tiles, and what they cost.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Below this median size of the objects at the network's input (square root of the area, in pixels) classes can hardly
/// be told apart: what they differ in is a few pixels wide. A rule of thumb.
inline constexpr double kTellingApart = 12;

struct SizeChoice {
  std::vector<std::string> settings;  // "key=value"; empty: as it is
  double object = 0;                  // median size of the objects at the network's input, pixels
  double coverage = 0;                // share of the objects whose best anchor reaches match.foreground_iou
  double pixels = 0;                  // of the padded inputs that a picture makes, mean: what it costs
};

/// The configuration as it is; larger inputs, up to the pictures' own size; tiles of the pictures as they are, where
/// those are half as large again or more. By rising cost. Anchors stay as they are. Looks at part of a large set. All
/// pictures must have sizes.
std::vector<SizeChoice> size_choices(const Config& config, const Dataset& dataset);

/// The cheapest choice beyond the first whose median object has at least kTellingApart pixels and whose coverage is no
/// less than the first one's; nullptr where there is none.
const SizeChoice* sufficient_choice(const std::vector<SizeChoice>& choices);

}  // namespace diopter
