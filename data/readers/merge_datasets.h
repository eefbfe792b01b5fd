// One data set from the annotations of several files.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace diopter {

/// All pictures and boxes, in the order of the parts. Classes with the same name are one; a picture that several parts
/// have (the same file) gets the boxes of all of them. Ids of a later part that an earlier one uses are given anew, as
/// are those of classes that it adds; what was joined or numbered is counted in the findings.
Dataset merge_datasets(std::vector<Dataset> parts);

}  // namespace diopter
