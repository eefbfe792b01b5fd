// What `diopter evaluate` looks at: options as they are written, and the part of the data set that they choose.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/coco_settings.h"

namespace diopter {

/// COCO's settings as options say them; "" where they say nothing.
struct CocoOptions {
  /// "0.5:0.95:0.05" (first, last and step, as numpy.linspace has them) or "0.5,0.75".
  std::string iou;
  /// "tiny:0:16,rest:16:" (name and the sides in pixels of the smallest and the largest square; without a largest one
  /// there is no end) or "16,32,96" (the sides between areas).
  std::string areas;
  /// "1,10,100"
  std::string max_detections;
};

/// Throws Error naming the option.
CocoSettings coco_settings(const CocoOptions& options);

/// A number from 0 to 1, what Pascal VOC's metrics take as --iou; .5 for "". Throws Error.
double voc_threshold(const std::string& iou);

/// Leaves the categories in `wanted` ("cat,9": names, or ids where no category has such a name), with their annotations
/// and detections. Throws Error for one that does not exist.
void select_categories(Dataset& truth, std::vector<Detection>& detections, const std::string& wanted);

/// Numbers the annotations from 1, in the order of images and lists: pycocotools never matches one with the id 0.
void renumber_annotations(Dataset& truth);

}  // namespace diopter
