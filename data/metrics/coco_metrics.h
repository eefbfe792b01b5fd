// COCO's detection metrics (cocodataset/cocoapi, COCOeval for boxes), equal to pycocotools to the last digits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/metrics/coco_matching.h"
#include "data/dataset.h"

namespace diopter {

/// Numbers of one category; -1 where there is no ground truth.
struct CategoryMetrics {
  std::int64_t id;
  std::string name;
  double ap, ap_small, ap_medium, ap_large;        // over IoU .5:.05:.95, by area
  std::array<double, kThresholds> ap_per_iou;      // at IoU .5, .55, ... .95, all areas
  std::array<double, 3> ar;                        // with at most 1, 10, 100 detections per image
  std::array<double, kThresholds> recall_per_iou;  // at most 100 detections, all areas
  std::int64_t objects;                            // ground truths that are not ignored
};

struct CocoMetrics {
  /// AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl; -1 where there is nothing to average.
  std::array<double, 12> stats;
  std::vector<CategoryMetrics> per_category;  // ascending category id
  std::vector<std::string> warnings;
};

/// COCO's numbers from the matches of a data set. Parallel over categories.
CocoMetrics coco_metrics(const Dataset& truth, const CocoMatches& matches);

/// The same from detections; errors as match_coco.
CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections);

/// Precision of one category over the 101 recalls of kRecallPoints, all areas, at most 100 detections per image, and the
/// score down to which detections have to be taken to reach that recall; both 0 where it is not reached (COCOeval's
/// `precision` and `scores`) and for a category without objects.
struct PrecisionCurve {
  std::array<double, kRecalls> precision, score;
};

/// The curve at IoU threshold kIouThresholds[t].
PrecisionCurve precision_curve(const CategoryMatches& matches, int t);

/// The curves of a category that tables and reports show: at IoU .5 and .75, and the mean precision over .5:.05:.95.
struct CategoryCurves {
  PrecisionCurve at50, at75;
  std::array<double, kRecalls> range;
};
CategoryCurves category_curves(const CategoryMatches& matches);

/// Means over categories with objects; a mean of curves has no score, they are 0.
CategoryCurves mean_curves(const std::vector<CategoryCurves>& curves);

/// The table of 12 lines that pycocotools prints.
std::string format_coco_metrics(const CocoMetrics& metrics);

}  // namespace diopter
