// YOLO text: for each picture a .txt with lines `class cx cy w h`, relative to the picture's size.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// `annotations` is one of
///   the folder of the .txt files, or one that holds `labels` and `images`, with folders in them or not
///   a data.yaml (keys path, train, val or valid, test, names), or the folder of one: options.split chooses; its values
///   are folders, lists of pictures (.txt), or several of them
///   darknet's .data file (train, valid, names), or a list of pictures (train.txt)
/// Pictures lie in options.images, or, when that is "", in the folder with `labels` replaced by `images`, or beside the
/// .txt files. Every picture found is part of the set; one without a .txt or with an empty one is a negative; one whose
/// size cannot be read keeps no boxes, with a warning. A label file whose name is written otherwise than the picture's
/// (percent-encoding, Unicode form, case) is found. Class names come from data.yaml, classes.txt, obj.names or *.names
/// in the folder or up to two above it, else from options.categories, else they are "0", "1", .... Class k has id k
/// + 1. Lines with an even number of corners behind the class are polygons, whose box is taken; a sixth column is a
/// confidence. Values outside [0, 1] by less than 1 % are clamped; lines with others, and boxes without area, are left
/// out.
Dataset read_yolo(const std::string& annotations, const ReadOptions& options);

/// Whether it is a .yaml, .yml or .data file, a list of pictures with labels, or a folder with .txt files, a data.yaml
/// or a folder `labels`.
bool recognises_yolo(const std::string& annotations);

}  // namespace diopter
