// YOLO text: beside each picture a .txt with lines `class cx cy w h`, relative to the picture's size.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// `annotations`: the folder of the .txt files (or one that holds `labels` and `images`), or a data.yaml (keys path,
/// train, names), whose `train` folder of pictures is read. Pictures lie in `image_folder`, or, when that is "", in the
/// folder with `labels` replaced by `images`, or beside the .txt files. Every picture found is part of the set; one
/// without a .txt or with an empty one is a negative; one whose size cannot be read keeps no boxes, with a warning.
/// Class names come from data.yaml, classes.txt, obj.names or *.names in the folder or up to two above it, else from
/// `categories`, else they are "0", "1", .... Class k has id k + 1. Five columns; more (polygons) are an Error that
/// says so. Values outside [0, 1] by more than 1 % and negative sizes are errors with file and line; values closer to
/// [0, 1] are clamped. Boxes without area are dropped with a warning.
Dataset read_yolo(const std::string& annotations, const std::string& image_folder,
                  const std::vector<std::string>& categories = {});

/// Whether it is a .yaml or .yml file, or a folder that holds .txt files or a folder `labels`.
bool recognises_yolo(const std::string& annotations);

}  // namespace diopter
