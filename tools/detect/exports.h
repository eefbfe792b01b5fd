// Detections as annotations that labelling programs import (docs/data.md).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// A picture and what was found in it.
struct ExportedPicture {
  std::string name;  // the picture's file name, without folders
  int width, height;
  std::vector<DetectedBox> boxes;  // in pixels of the picture
};

/// Where detections go, in which format:
///   yolo:FOLDER          NAME.txt for each picture, and classes.txt (labelImg, darknet, Ultralytics)
///   voc:FOLDER           NAME.xml for each picture (labelImg, Pascal VOC)
///   labelstudio:FILE     JSON tasks with predictions
///   cvat:FILE            CVAT XML for images 1.1
///   csv:FILE             filename, width, height, class, xmin, ymin, xmax, ymax, score
/// Labels are never replaced: what is there already is refused before anything is computed.
class Export {
 public:
  /// "yolo:labels". Throws Error for an unknown format, for a file or a folder's files that exist already, and for two
  /// pictures of the same name.
  Export(const std::string& request, const Dataset& pictures);

  /// Throws Error when it cannot be written.
  void write(const std::vector<ExportedPicture>& pictures, const std::vector<std::string>& classes) const;

 private:
  std::string format_, path_;
};

}  // namespace diopter
