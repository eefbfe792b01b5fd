// Worst errors of a detector on a data set: what deserves a look first.
#pragma once

#include <cstddef>
#include <vector>

#include "data/metrics/coco_matching.h"

namespace diopter {

struct Mistake {
  int image;     // position in Dataset::images
  int category;  // position in Dataset::categories, of the detection or of the missed object
  Rect rect;
  double score;  // of the detection; 0 of a missed object
};

struct WorstErrors {
  std::vector<Mistake> false_positives;  // by descending score
  std::vector<Mistake> missed;           // by descending area
};

/// Up to `most` of each kind, at IoU 0.5 and by COCO's matches: detections that match nothing, and objects that no
/// detection of their class matches with at least the score `thresholds` has for it (best_scores; empty: any score).
/// Crowds, and detections that they take, are no errors. Of equal ones the first in the order of categories and
/// pictures. `matches` are those of `detections` with `truth`. Throws Error when .5 is not among their IoU thresholds.
WorstErrors worst_errors(const Dataset& truth, const std::vector<Detection>& detections, const CocoMatches& matches,
                         const std::vector<double>& thresholds, std::size_t most);

}  // namespace diopter
