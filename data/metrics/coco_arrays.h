// The arrays that COCO's numbers are means of: COCOeval.eval's precision, scores and recall, cell by cell.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "data/metrics/coco_matching.h"

namespace diopter {

/// Shapes by the settings' thresholds T, recalls R = kRecalls, categories K (ascending id), areas A, numbers of
/// detections M. -1 where a category has no objects of the area.
struct CocoArrays {
  std::vector<double> precision, scores;  // [T, R, K, A, M]
  std::vector<double> recall;             // [T, K, A, M]
};

/// Equal to pycocotools' to the last bit. Parallel over categories.
CocoArrays coco_arrays(const CocoMatches& matches);

}  // namespace diopter
