// Fit of the anchors to the boxes of a data set: a box whose best anchor stays below match.foreground_iou is learned
// from little or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/detection/anchors.h"
#include "retinanet/config/config.h"
#include "retinanet/doctor/lint.h"

namespace diopter {

/// Largest IoU of the box with any anchor of the grid.
///
/// The overlap with a cell moved over the grid is a product of one function of x and one of y, each falling with the
/// distance of the centres: only the grid points next to the box's centre need to be looked at.
float best_anchor_iou(const AnchorGrid& grid, const Box& box);

/// The anchors of an input that is padded to width x height.
AnchorGrid anchors_of_input(const Config& config, int padded_width, int padded_height);

/// Boxes of one kind, and how many of them have an anchor that reaches the two thresholds of the matching.
struct CoverageBin {
  std::string name;
  double end = 0;  // the bin holds what is smaller; infinite for the last one
  std::int64_t boxes = 0, foreground = 0, background = 0;

  double foreground_share() const { return boxes ? static_cast<double>(foreground) / static_cast<double>(boxes) : 0; }
  double background_share() const { return boxes ? static_cast<double>(background) / static_cast<double>(boxes) : 0; }
};

/// Over all objects of the set. Bins are by sqrt(area) at the network's input and by height / width; empty ones are
/// left out.
struct Coverage {
  CoverageBin all;
  std::vector<CoverageBin> by_size, by_ratio;
  double mean_iou = 0;             // of the best anchors
  double anchors_per_picture = 0;  // mean
};

/// All pictures must have sizes: see check_pictures.
Coverage anchor_coverage(const Config& config, const Dataset& dataset);

/// Labels that matching gives to the anchors, counted picture by picture.
struct AnchorMatches {
  std::int64_t pictures = 0;                                // that were looked at
  std::int64_t positives = 0, ignored = 0, background = 0;  // anchors
  std::vector<std::int64_t> positives_of_class;
  Spread positives_per_picture;
  std::int64_t objects = 0;
  std::int64_t low_quality = 0;  // objects that have anchors, but only such below match.foreground_iou; 0 with
                                 // match.rule = atss, which has no such threshold
  std::int64_t unmatched = 0;    // objects without any anchor: another one took them, or none overlaps it
};

/// Matches the anchors of up to `most` pictures, or tiles, spread evenly over the set.
inline constexpr std::int64_t kMatchedPictures = 1000;
AnchorMatches match_pictures(const Config& config, const Dataset& dataset, std::int64_t most = kMatchedPictures);

}  // namespace diopter
