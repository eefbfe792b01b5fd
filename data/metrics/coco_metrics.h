// COCO's detection metrics (cocodataset/cocoapi, COCOeval for boxes), equal to pycocotools to the last bit.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/coco_matching.h"

namespace diopter {

/// COCO's numbers, each a share from 0 to 1; -1 where there is nothing to average. kCocoNumbers names them.
struct CocoNumbers {
  double ap = 0, ap50 = 0, ap75 = 0, ap_small = 0, ap_medium = 0, ap_large = 0;
  double ar1 = 0, ar10 = 0, ar100 = 0, ar_small = 0, ar_medium = 0, ar_large = 0;

  bool operator==(const CocoNumbers&) const = default;
};

/// One of the numbers, under the name that every file and table has it: that of its CocoColumn.
struct CocoNumber {
  const char* name;  // column of metrics.csv, results.csv and categories.csv; key in JSON
  double CocoNumbers::*value;
};

/// In the order of coco_columns(CocoSettings()). A new number is a member above and a row at the end: lists in files of
/// before are shorter.
inline constexpr CocoNumber kCocoNumbers[] = {
    {"AP", &CocoNumbers::ap},        {"AP50", &CocoNumbers::ap50},     {"AP75", &CocoNumbers::ap75},
    {"APs", &CocoNumbers::ap_small}, {"APm", &CocoNumbers::ap_medium}, {"APl", &CocoNumbers::ap_large},
    {"AR1", &CocoNumbers::ar1},      {"AR10", &CocoNumbers::ar10},     {"AR100", &CocoNumbers::ar100},
    {"ARs", &CocoNumbers::ar_small}, {"ARm", &CocoNumbers::ar_medium}, {"ARl", &CocoNumbers::ar_large},
};

/// Names and values of kCocoNumbers, in its order.
std::vector<std::string> coco_column_names();
std::vector<double> list_of(const CocoNumbers& numbers);

/// From such a list; -1 for numbers beyond its end, which the program that wrote it did not know.
CocoNumbers coco_numbers(const std::vector<double>& list);

/// Numbers of one category; -1 where there is no ground truth.
struct CategoryMetrics {
  std::int64_t id;
  std::string name;
  std::vector<double> values;          // as CocoMetrics::columns
  CocoNumbers stats;                   // those of `values` that COCO names
  std::vector<double> ap_per_iou;      // by threshold, all areas
  std::vector<double> recall_per_iou;  // all areas, the largest number of detections
  std::int64_t objects;                // ground truths that are not ignored
};

struct CocoMetrics {
  std::vector<CocoColumn> columns;            // of the settings
  std::vector<double> values;                 // over the categories that have ground truth
  CocoNumbers stats;                          // those of `values` that COCO names; -1 for others
  std::vector<CategoryMetrics> per_category;  // ascending category id
  std::vector<std::string> warnings;
};

/// COCO's numbers from the matches of a data set. Parallel over categories.
CocoMetrics coco_metrics(const Dataset& truth, const CocoMatches& matches);

/// The same from detections; errors as match_coco.
CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections);

/// Precision of one category over the 101 recalls of kRecallPoints, and the score down to which detections have to be
/// taken to reach that recall; both 0 where it is not reached (COCOeval's `precision` and `scores`) and for a category
/// without objects.
struct PrecisionCurve {
  std::array<double, kRecalls> precision, score;
};

/// The curves at each threshold of the settings, of the objects of an area, with at most so many detections per image.
std::vector<PrecisionCurve> precision_curves(const CategoryMatches& matches, const CocoSettings& settings, int area,
                                             int detections);

/// The recall at each threshold, of the objects of an area, with at most so many detections per image; NaN without
/// objects.
std::vector<double> recalls(const CategoryMatches& matches, const CocoSettings& settings, int area, int detections);

/// The curves of a category that tables and reports show: at IoU .5 and .75 (0 where the settings have no such
/// threshold), and the mean precision over all thresholds; all areas, the largest number of detections.
struct CategoryCurves {
  PrecisionCurve at50{}, at75{};
  std::array<double, kRecalls> range{};
};
CategoryCurves category_curves(const CategoryMatches& matches, const CocoSettings& settings);

/// Means over categories with objects; a mean of curves has no score, they are 0.
CategoryCurves mean_curves(const std::vector<CategoryCurves>& curves);

/// The table that pycocotools prints, one line per number.
std::string format_coco_metrics(const CocoMetrics& metrics, const CocoSettings& settings = {});

}  // namespace diopter
