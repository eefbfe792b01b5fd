// COCO JSON: instances files (ground truth) and results files (detections).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// Reads an instances file: keys images (id, file_name; width, height when present), annotations (id, image_id,
/// category_id, bbox [x, y, w, h]; area and iscrowd when present) and categories (id, name). Category ids need not be
/// contiguous. Boxes of zero size are kept. Annotations without an id are numbered by position, with a warning.
/// Throws Error naming the file and the place ("annotations[7].bbox") for anything else: no COCO file, ids that are not
/// integers or appear twice (images, categories), annotations of an unknown image or category, a box with a NaN,
/// infinite or negative size.
/// `categories`: as in DatasetFormat; ids stay as the file has them, and a class that it does not have gets a new one.
Dataset read_coco(const std::string& file, const std::string& image_folder,
                  const std::vector<std::string>& categories = {});

/// Whether it is a .json file.
bool recognises_coco(const std::string& annotations);

/// Reads a results file: a list, maybe empty, of {image_id, category_id, bbox, score}. Detections of unknown categories
/// are dropped with a warning, of unknown images an Error, as in pycocotools; other Errors as in read_coco.
std::vector<Detection> read_coco_results(const std::string& file, const Dataset& truth,
                                         std::vector<std::string>& warnings);

/// Both are written to a temporary file and renamed; numbers read back exactly. Image paths are written as
/// ImageRecord::name; Annotation::difficult has no place in COCO. Throws Error for numbers that are not finite.
void write_coco(const std::string& file, const Dataset& dataset);
void write_coco_results(const std::string& file, const std::vector<Detection>& detections);

}  // namespace diopter
