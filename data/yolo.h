// YOLO text: beside each picture a .txt with lines `class cx cy w h`, relative to the picture's size.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// `annotations`: the folder of the .txt files, or a data.yaml (keys path, train, val, names: read for the names only
/// when it lies in or above a labels folder; otherwise its `train` folder is read). Pictures lie in `image_folder`, or,
/// when that is "", in the folder with `labels` replaced by `images`, or beside the .txt files. Every picture found is
/// part of the set; one without a .txt or with an empty one is a negative. Class names come from data.yaml, classes.txt,
/// obj.names or *.names in or above the folder, else they are "0", "1", .... Five columns; more (polygons) are an Error
/// that says so. Values outside [0, 1] by more than 1 % are errors with file and line; smaller ones are clamped.
Dataset read_yolo(const std::string& annotations, const std::string& image_folder,
                  const std::vector<std::string>& categories = {});

}  // namespace diopter
