// Settings under which more boxes have an anchor that fits.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Below this share of boxes that reach match.foreground_iou the anchors deserve a change.
inline constexpr double kPoorCoverage = 0.9;

struct AnchorAdvice {
  std::vector<std::string> settings;  // "key=value", to be applied in this order
  double coverage = 0;                // share of the set's objects whose best anchor then reaches match.foreground_iou
  double anchors = 1;                 // as a multiple of now's: what the heads cost
};

/// Changes that raise the coverage, the cheapest first; ends with the first that is enough (95 %). What costs time must
/// gain ten points over the one before. Empty when the coverage is not poor or nothing helps.
///   1. other anchor sizes and ratios, as many as now: they cost nothing
///   2. the same with a finer level of the pyramid
///   3. the same with a larger input
/// The search uses part of a large set; the coverage returned is of all of it. All pictures must have sizes.
std::vector<AnchorAdvice> advise_anchors(const Config& config, const Dataset& dataset);

/// Settings that make the input `factor` times as large; none when that is far beyond the pictures' own size. Pictures
/// are enlarged only where that is what it takes.
std::vector<std::string> enlarged_input(const Config& config, const Dataset& dataset, double factor);

}  // namespace diopter
