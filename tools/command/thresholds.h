// Score thresholds of classes, in a file that `evaluate --thresholds` writes and `detect --thresholds` reads:
//
//   {"iou": 0.5, "all": {"score": 0.41, "F1": ..., "precision": ..., "recall": ...}, "classes": {"cat": {...}, "dog":
//   null}}
//
// null: no detection of the class was right.
#pragma once

#include <string>
#include <vector>

#include "data/metrics/operating_point.h"

namespace diopter {

/// The file's text. `names`: of the categories of the points. Throws Error when two have the same name.
std::string thresholds_text(const OperatingPoints& points, const std::vector<std::string>& names);

/// The threshold of each class: its own, or where it has none that of all classes together. Throws Error for a file
/// that cannot be read, that has other classes than these, or has no threshold for one of them.
std::vector<float> read_thresholds(const std::string& file, const std::vector<std::string>& classes);

}  // namespace diopter
