// What COCO's metrics look at: IoU thresholds, sizes of objects, how many detections of an image count.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "data/metrics/precision_recall.h"

namespace diopter {

inline constexpr int kThresholds = 10;
inline constexpr std::array<double, kThresholds> kIouThresholds = linspace<kThresholds>(0.5, 0.95);
inline constexpr int kMostThresholds = 32;

/// Objects of an area within the range, both ends included, in square pixels.
struct AreaRange {
  std::string name;
  double low, high;

  bool contains(double area) const { return !(area < low || area > high); }
  bool operator==(const AreaRange&) const = default;
};

inline constexpr double kLargestArea = 1e10;  // as in pycocotools

/// Positions of COCO's areas in CocoSettings::areas: all, up to 32^2, up to 96^2, beyond. The first is always all.
enum Area { kAll, kSmall, kMedium, kLarge, kAreas };

std::vector<AreaRange> coco_areas();

struct CocoSettings {
  std::vector<double> thresholds{kIouThresholds.begin(), kIouThresholds.end()};  // ascending, 1 to kMostThresholds
  std::vector<AreaRange> areas = coco_areas();
  /// Per image and category, by descending score; ascending. Detections beyond the last are left out.
  std::vector<int> max_detections = {1, 10, 100};

  bool operator==(const CocoSettings&) const = default;
  /// Position of an IoU threshold; -1 where it is not among them.
  int threshold(double iou) const;
};

/// IoU thresholds CocoSettings::thresholds[first] to [last - 1].
struct Thresholds {
  int first, last;
};

/// What one of the numbers averages, and under which name every file and table has it.
struct CocoColumn {
  std::string name;
  bool recall;  // average recall, otherwise average precision
  Thresholds thresholds;
  int area;        // of the objects; position in CocoSettings::areas
  int detections;  // at most; position in CocoSettings::max_detections, the last one for average precision
};

/// In the order in which pycocotools prints them: AP, at IoU .5 and .75 where they are among the thresholds, by area;
/// AR by detections, by area. COCO's areas are APs, APm, APl; others AP_NAME.
std::vector<CocoColumn> coco_columns(const CocoSettings& settings);

}  // namespace diopter
