// COCO's detection metrics (cocodataset/cocoapi, COCOeval for boxes), equal to pycocotools to the last digits.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/coco_matching.h"

namespace diopter {

/// COCO's numbers, each a share from 0 to 1; -1 where there is nothing to average. kCocoColumns says what each is.
struct CocoNumbers {
  double ap = 0, ap50 = 0, ap75 = 0, ap_small = 0, ap_medium = 0, ap_large = 0;
  double ar1 = 0, ar10 = 0, ar100 = 0, ar_small = 0, ar_medium = 0, ar_large = 0;

  bool operator==(const CocoNumbers&) const = default;
};

/// IoU thresholds kIouThresholds[first] to [last - 1].
struct Thresholds {
  int first = 0, last = kThresholds;
};

/// What one of the numbers averages, and under which name every file and table has it.
struct CocoColumn {
  const char* name;  // column of metrics.csv, results.csv and categories.csv; key in JSON
  double CocoNumbers::*value;
  bool recall;  // average recall, otherwise average precision
  Thresholds thresholds;
  Area area;       // of the objects
  int detections;  // at most, per image and category; fewer than kMaxDetections with recall only
};

/// In the order in which pycocotools prints them and files list them. A new number is a member above and a row at the
/// end: lists in files of before are shorter.
inline constexpr CocoColumn kCocoColumns[] = {
    {"AP", &CocoNumbers::ap, false, {}, kAll, kMaxDetections},
    {"AP50", &CocoNumbers::ap50, false, {kAt50, kAt50 + 1}, kAll, kMaxDetections},
    {"AP75", &CocoNumbers::ap75, false, {kAt75, kAt75 + 1}, kAll, kMaxDetections},
    {"APs", &CocoNumbers::ap_small, false, {}, kSmall, kMaxDetections},
    {"APm", &CocoNumbers::ap_medium, false, {}, kMedium, kMaxDetections},
    {"APl", &CocoNumbers::ap_large, false, {}, kLarge, kMaxDetections},
    {"AR1", &CocoNumbers::ar1, true, {}, kAll, 1},
    {"AR10", &CocoNumbers::ar10, true, {}, kAll, 10},
    {"AR100", &CocoNumbers::ar100, true, {}, kAll, kMaxDetections},
    {"ARs", &CocoNumbers::ar_small, true, {}, kSmall, kMaxDetections},
    {"ARm", &CocoNumbers::ar_medium, true, {}, kMedium, kMaxDetections},
    {"ARl", &CocoNumbers::ar_large, true, {}, kLarge, kMaxDetections},
};

/// Names and values of kCocoColumns, in its order.
std::vector<std::string> coco_column_names();
std::vector<double> list_of(const CocoNumbers& numbers);

/// From such a list; -1 for numbers beyond its end, which the program that wrote it did not know.
CocoNumbers coco_numbers(const std::vector<double>& list);

/// Numbers of one category; -1 where there is no ground truth.
struct CategoryMetrics {
  std::int64_t id;
  std::string name;
  CocoNumbers stats;
  std::array<double, kThresholds> ap_per_iou;      // at IoU .5, .55, ... .95, all areas
  std::array<double, kThresholds> recall_per_iou;  // at most 100 detections, all areas
  std::int64_t objects;                            // ground truths that are not ignored
};

struct CocoMetrics {
  CocoNumbers stats;                          // over the categories that have ground truth
  std::vector<CategoryMetrics> per_category;  // ascending category id
  std::vector<std::string> warnings;
};

/// COCO's numbers from the matches of a data set. Parallel over categories.
CocoMetrics coco_metrics(const Dataset& truth, const CocoMatches& matches);

/// The same from detections; errors as match_coco.
CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections);

/// Precision of one category over the 101 recalls of kRecallPoints, all areas, at most 100 detections per image, and
/// the score down to which detections have to be taken to reach that recall; both 0 where it is not reached (COCOeval's
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

/// The table that pycocotools prints, one line per number.
std::string format_coco_metrics(const CocoMetrics& metrics);

}  // namespace diopter
