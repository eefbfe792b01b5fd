// VGG Image Annotator 2: projects and annotations as JSON, annotations as CSV.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// JSON: an object of pictures {filename, regions}, or a project that has it under _via_img_metadata. CSV: the columns
/// filename, region_shape_attributes and region_attributes, a region a row. Rectangles are boxes; of polygons, circles
/// and ellipses the box around them is taken, a finding; points and lines are left out. The class is the value of one
/// region attribute, of checkboxes the first that is set: the one called class, label, name, type or category, else the
/// one that most regions have; Dataset::origin says which. Regions without it are left out; where no region of the file
/// has an attribute, the class is "object". Pictures without regions are negatives. Pictures lie in options.images or
/// beside the file. Classes are numbered by name, from id 1.
Dataset read_via(const std::string& file, const ReadOptions& options);

/// Whether it is such a .json or .csv file.
bool recognises_via(const std::string& annotations);

}  // namespace diopter
