// COCO JSON: instances files (ground truth) and results files (detections).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Reads an instances file: keys images (id, file_name; width, height when present), annotations (id, image_id,
/// category_id, bbox [x, y, w, h]; area and iscrowd when present) and categories (id, name). Category ids need not be
/// contiguous. Throws Error naming the file and the place ("annotations[7].bbox") for anything else: no COCO file, ids
/// that are not integers, annotations of an unknown image or category, a box with a NaN, infinite or negative size.
Dataset read_coco(const std::string& file, const std::string& image_folder);

/// Reads a results file: a list of {image_id, category_id, bbox, score}. Detections of unknown categories are dropped
/// with a warning, of unknown images an Error, as in pycocotools.
std::vector<Detection> read_coco_results(const std::string& file, const Dataset& truth,
                                         std::vector<std::string>& warnings);

/// Both are written to a temporary file and renamed. image paths are written as ImageRecord::name.
void write_coco(const std::string& file, const Dataset& dataset);
void write_coco_results(const std::string& file, const std::vector<Detection>& detections);

}  // namespace diopter
