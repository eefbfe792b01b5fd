// Pascal VOC's average precision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

struct VocOptions {
  double iou_threshold = 0.5;
  bool eleven_point = false;  // VOC 2007; otherwise the area under the whole curve (VOC 2010 and later)
  bool plus_one = true;       // widths and heights count + 1 pixel, as VOC's own program does
  bool strict = true;         // a match needs IoU > threshold (py-faster-rcnn); false: >= (Padilla, Cartucho)
};

struct VocCategory {
  std::int64_t id;
  std::string name;
  double ap;             // -1 without ground truth
  std::int64_t objects;  // that are not difficult
};

struct VocMetrics {
  double mean_ap;  // over the categories that have ground truth; -1 when none has
  std::vector<VocCategory> per_category;
};

/// Detections by score descending (stable); each takes the ground truth of highest IoU (the first on ties), even when
/// that is taken already (then it is a false positive); a difficult one or a crowd makes it neither hit nor miss.
/// Detections of unknown categories are left out; of unknown images, or with a NaN as score, they are an Error.
/// With plus_one the corners are x1 = x, x2 = x + w - 1 for ground truth read by read_voc; that is the caller's choice
/// of rects: this function takes x2 = x + w as it stands and adds 1 to widths and heights.
VocMetrics voc_metrics(const Dataset& truth, const std::vector<Detection>& detections, const VocOptions& options);

}  // namespace diopter
