// CSV: one box per line.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// With a header, columns are found by their names, in any order, others are ignored:
///   picture  filename, image_path, path, file, image, image_name, ImageID, ...
///   class    class, label, LabelName, category, class_name, name
///   box      xmin|x1|left, ymin|y1|top, xmax|x2|right, ymax|y2|bottom; or x, y, width, height (corner and size)
///   size     width, height of the picture, where the box has four corners
///   crowd    IsGroupOf: 1 makes the box an ignored region (Open Images)
/// Upper and lower case, "_" and blanks make no difference. Without a header: path,x1,y1,x2,y2,class (keras-retinanet).
/// Commas, semicolons or tabs, by the first line. Relative paths are taken from the folder of pictures, or from the
/// CSV's own folder. A row with an empty box, or with four zeros, names a negative picture. When all coordinates of a
/// file are shares (at most 1), they are taken times the picture's size (Open Images). Classes are numbered by name,
/// from id 1. Errors name the file and line; boxes that cannot be used are findings.
Dataset read_csv(const std::string& file, const ReadOptions& options);

/// Whether it is a .csv or .tsv file.
bool recognises_csv(const std::string& annotations);

}  // namespace diopter
