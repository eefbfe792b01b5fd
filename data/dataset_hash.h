// Hash of a data set: whether a run that goes on sees what it saw before.
#pragma once

#include <string>

#include "data/dataset.h"

namespace diopter {

/// Sixteen hexadecimal digits that depend on classes, on the pictures' names, order and sizes, and on their boxes; not
/// on where the files lie, nor on the pictures' contents, which would have to be read. "" for a set without pictures.
std::string dataset_hash(const Dataset& dataset);

}  // namespace diopter
