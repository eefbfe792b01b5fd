// labelme's JSON: one file per picture.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// A folder of .json files, all of which are read by name, or one of them: shapes {label, points, shape_type} of the
/// picture imagePath. Rectangles (two opposite corners) are boxes; of polygons, circles (centre and a point on it) and
/// masks the box around them is taken, a finding; points and lines are left out. Pictures are found in options.images,
/// or beside the files; the pictures that files hold themselves (imageData) are not used. Classes are numbered by name,
/// from id 1. Errors name the file and the shape.
Dataset read_labelme(const std::string& annotations, const ReadOptions& options);

/// Whether it is such a file, or a folder whose first .json file is one.
bool recognises_labelme(const std::string& annotations);

}  // namespace diopter
