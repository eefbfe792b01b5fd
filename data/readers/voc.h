// Pascal VOC XML: one file per picture.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// `annotations`: a folder with .xml files (all are read, by name), or a split file: a text file with one picture name
/// a line (further columns are ignored; without extension), whose .xml lie in the folder beside it, in ../Annotations,
/// ../../Annotations or ../annotations_original, whichever holds them. `image_folder` may be "": then ../JPEGImages or
/// ../images beside the annotations' folder, or that folder itself. The picture is <filename> of the XML, or the XML's
/// own name with the extension that exists (a warning says so); a missing one stays in the set, with a warning.
/// VOC counts pixels from 1, both ends included: x = xmin - 1, w = xmax - xmin + 1; a box with xmax <= xmin or
/// ymax <= ymin is dropped with a warning. Classes are numbered by name, from id 1. Errors name the file and the line.
Dataset read_voc(const std::string& annotations, const std::string& image_folder,
                 const std::vector<std::string>& categories = {});

/// Whether it is a folder with .xml files or a .txt file.
bool recognises_voc(const std::string& annotations);

}  // namespace diopter
