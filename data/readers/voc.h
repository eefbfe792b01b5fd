// Pascal VOC XML: one file per picture.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// `annotations` is one of
///   a folder with .xml files: all are read, by name
///   a split file: a text file with one picture name per line (further columns are ignored; without extension), whose
///   .xml lie in the folder beside it, in ../Annotations, ../../Annotations or ../annotations_original
///   a folder of the VOC kit, with Annotations and ImageSets/Main/{train,val,test}.txt: options.split chooses
/// Pictures lie in options.images; where that is "", in ../JPEGImages or ../images beside the annotations' folder, or
/// in that folder itself. The picture is <filename> of the XML, or the XML's own name with the extension that exists (a
/// finding), or as PictureNames finds it; a missing one stays in the set, with a finding. VOC counts pixels from 1,
/// both ends included: x = xmin - 1, w = xmax - xmin + 1; a box with xmax <= xmin or ymax <= ymin is left out, as one
/// outside. Classes are numbered by name, from id 1. Errors name the file and the line.
Dataset read_voc(const std::string& annotations, const ReadOptions& options);

/// Whether it is a folder with .xml files, one of the VOC kit, or a .txt file that is no list of YOLO pictures.
bool recognises_voc(const std::string& annotations);

}  // namespace diopter
