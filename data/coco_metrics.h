// COCO's detection metrics (cocodataset/cocoapi, COCOeval for boxes), equal to pycocotools to the last digits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Numbers of one category; -1 where there is no ground truth.
struct CategoryMetrics {
  std::int64_t id;
  std::string name;
  double ap, ap_small, ap_medium, ap_large;  // over IoU .5:.05:.95, by area
  std::array<double, 10> ap_per_iou;         // at IoU .5, .55, ... .95, all areas
  std::array<double, 3> ar;                  // with at most 1, 10, 100 detections an image
  std::array<double, 10> recall_per_iou;     // at most 100 detections, all areas
  std::int64_t objects;                      // ground truths that are not ignored
};

struct CocoMetrics {
  /// AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl; -1 where there is nothing to average.
  std::array<double, 12> stats;
  std::vector<CategoryMetrics> per_category;  // ascending category id
  std::vector<std::string> warnings;
};

/// Evaluates detections against the ground truth. Detections of categories that `truth` does not have are left out.
/// An annotation with id 0 is never matched, as in the reference; a warning says so. Parallel over categories.
/// Throws Error for a detection of an unknown image or with a NaN as score.
CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections);

/// The table of 12 lines that pycocotools prints.
std::string format_coco_metrics(const CocoMetrics& metrics);

}  // namespace diopter
