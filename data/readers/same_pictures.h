// Pictures that two sets have in common, and sets without objects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Indices of the images of `second` whose picture `first` has as well: the same file, or one with the same bytes.
/// Files that cannot be read are left aside.
std::vector<std::size_t> shared_pictures(const Dataset& first, const Dataset& second);

/// Throws Error when `validation` is `training` again: the same files, or copies of all pictures with the same objects.
/// Returns a warning when they share pictures, else "".
std::string check_validation_set(const Dataset& training, const Dataset& validation);

/// Throws Error "ANNOTATIONS: no object to learn from" when no picture has an object that is learned.
void check_training_set(const std::string& annotations, const Dataset& training);

}  // namespace diopter
