// The file of `diopter evaluate --arrays`.
#pragma once

#include <string>

#include "data/metrics/coco_matching.h"

namespace diopter {

/// Writes COCO's arrays (data/metrics/coco_arrays.h) and what their dimensions stand for as safetensors: precision and
/// scores [T, R, K, A, M], recall [T, K, A, M], iou_thresholds [T], recall_thresholds [R], category_ids [K], areas
/// [A, 2] in square pixels, max_detections [M]; floating-point numbers are F64, others I64. The metadata have the names
/// of areas and categories.
void write_arrays(const std::string& file, const Dataset& truth, const CocoMatches& matches);

}  // namespace diopter
