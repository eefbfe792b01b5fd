// Detections where nothing is labelled: objects that were forgotten, or things that look like objects.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace diopter {

struct MissingLabel {
  int image;     // position in Dataset::images
  int category;  // position in Dataset::categories
  Rect rect;
  double score;
};

/// Detections with at least `score` whose IoU with every annotation of their image, whatever its class, is below 0.1
/// (of which a crowd region covers less than a tenth), by descending score. Of those that overlap each other with IoU
/// 0.5 or more only the best.
std::vector<MissingLabel> likely_missing_labels(const Dataset& truth, const std::vector<Detection>& detections,
                                                double score);

}  // namespace diopter
