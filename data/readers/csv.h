// CSV: one box a line, path,x1,y1,x2,y2,class (keras-retinanet's format).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Relative paths are taken from `image_folder`, or from the CSV's own folder when that is "". path,,,,, is a negative
/// image. A first line whose coordinates are not numbers is a header. Classes are numbered by name, from id 1.
/// Errors name the file and line. Boxes with x2 <= x1 or y2 <= y1 are errors.
Dataset read_csv(const std::string& file, const std::string& image_folder,
                 const std::vector<std::string>& categories = {});

/// Whether it is a .csv file.
bool recognises_csv(const std::string& annotations);

}  // namespace diopter
