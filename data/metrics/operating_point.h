// Scores from which on detections are best taken: those with the largest F1 (van Rijsbergen 1979).
//
//   F1 = 2 hits / (detections + objects),  the harmonic mean of precision hits / detections and recall hits / objects
//
// Hits, detections and objects as COCO counts them at one IoU threshold, objects of all areas: detections that match a
// crowd do not count.
#pragma once

#include <optional>
#include <vector>

#include "data/metrics/coco_matching.h"

namespace diopter {

struct OperatingPoint {
  double score = 0;  // detections with at least this score are taken
  double f1 = 0, precision = 0, recall = 0;
};

/// Numbers of a point, under the names that they have in files.
struct OperatingNumber {
  const char* name;
  double OperatingPoint::*value;
};
inline constexpr OperatingNumber kOperatingNumbers[] = {{"score", &OperatingPoint::score},
                                                        {"F1", &OperatingPoint::f1},
                                                        {"precision", &OperatingPoint::precision},
                                                        {"recall", &OperatingPoint::recall}};

struct OperatingPoints {
  double iou = 0;
  std::optional<OperatingPoint> all;                      // one score for all categories together
  std::vector<std::optional<OperatingPoint>> categories;  // as in Dataset::categories
};

/// The points of largest F1, of equal ones that with the highest score; nothing where no detection is a hit. Throws
/// Error when the matches have no such IoU threshold.
OperatingPoints best_operating_points(const CocoMatches& matches, double iou = 0.5);

/// The score of each category: its own, or where none of its detections is right that of all together; empty where
/// there is none of those either.
std::vector<double> best_scores(const OperatingPoints& points);

}  // namespace diopter
