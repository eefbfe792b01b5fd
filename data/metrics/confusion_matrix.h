// Confusion matrix: which class is taken for which. Regardless of class and by descending score, each detection of an
// image takes the free object with the largest IoU, if that is at least 0.5.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Counts [true class][predicted class]; index `classes` stands for no object (row: detections of the background) and
/// no detection (column: objects not found). A row's sum is the number of objects, a column's that of detections.
struct ConfusionMatrix {
  std::size_t classes;
  std::vector<std::int64_t> counts;  // [classes + 1][classes + 1]

  std::int64_t at(std::size_t truth, std::size_t predicted) const { return counts[truth * (classes + 1) + predicted]; }
};

/// Detections with a score below `score` and of unknown categories or images are left out, and so are crowds; a
/// detection that finds no object but covers a crowd of its class (half of its area or more lies there) is left out,
/// too.
ConfusionMatrix confusion_matrix(const Dataset& truth, const std::vector<Detection>& detections, double score);

/// Two classes that are taken for each other.
struct ConfusedClasses {
  std::size_t first, second;     // positions in Dataset::categories, first < second
  std::int64_t mistaken, found;  // objects of the two that were found as the other one; as either of them
};

/// The pair of classes with the most objects that are taken for the other one, of equal ones the first; nothing where
/// no object is taken for another class.
std::optional<ConfusedClasses> most_confused(const ConfusionMatrix& matrix);

}  // namespace diopter
