// Detections in pictures as diopter detect writes them to a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "retinanet/network/detect.h"
#include "retinanet/weights/weights.h"

namespace diopter {

struct PictureDetections {
  std::int64_t id;
  std::string name;
  std::vector<DetectedBox> boxes;  // in pixels of the picture
};

/// COCO's results format, with the picture's file name and the class name of `model` beside the numbers.
std::string json_text(const std::vector<PictureDetections>& pictures, const LoadedModel& model);

}  // namespace diopter
