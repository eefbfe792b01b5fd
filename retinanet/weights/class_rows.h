// Last classification layers of other classes: their rows follow the classes' names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace diopter {

/// Tensors by their names, as a checkpoint has them.
using NamedTensors = std::map<std::string, Tensor>;

/// Rows of `stored` layers, for the classes `known`, where the wanted classes have the same names, and of `own`, for
/// the classes `wanted`, elsewhere. Tensors are [anchors of a pixel * classes, ...]; those that are not of this form,
/// or do not fit each other, are left out of the result.
NamedTensors with_class_rows(const NamedTensors& stored, const std::vector<std::string>& known, const NamedTensors& own,
                             const std::vector<std::string>& wanted);

/// What with_class_rows kept and what starts afresh, without the file's name.
std::string describe_class_rows(const std::vector<std::string>& known, const std::vector<std::string>& wanted);

}  // namespace diopter
