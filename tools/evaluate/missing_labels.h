// The folder of `diopter evaluate --missing-labels`.
#pragma once

#include <string>
#include <vector>

#include "data/metrics/missing_labels.h"

namespace diopter {

/// Throws Error when the folder holds other files than write_missing_labels has written.
void check_missing_labels_folder(const std::string& folder);

/// Writes FOLDER/missing_labels.csv (picture, class, xmin, ymin, xmax, ymax, score, crop) and, where the pictures can
/// be read, crops with the box drawn in: FOLDER/0001.jpg, ... for the first 1,000. Throws Error when it cannot be
/// written.
void write_missing_labels(const std::string& folder, const Dataset& truth, const std::vector<MissingLabel>& labels);

}  // namespace diopter
