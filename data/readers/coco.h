// COCO JSON: instances files (ground truth) and results files (detections).
#pragma once

#include <string>
#include <vector>

#include "data/readers/reading.h"

namespace diopter {

/// Reads an instances file: keys images (id, file_name; width, height when present), annotations (id, image_id,
/// category_id, bbox [x, y, w, h]; area, iscrowd and segmentation when present) and categories (id, name). Ids need not
/// be contiguous; they may be texts, which are numbered. Annotations that cannot be used are findings: without a box
/// (its polygon's or mask's box is taken where there is one), of negative size, not finite, of an unknown image or
/// category. Boxes of zero size or outside their picture are kept, as pycocotools counts them. A file without
/// annotations (image_info) has pictures only. Throws Error naming the file and the place ("images[7].id") for no COCO
/// file, and for images and categories whose ids appear twice. With options.categories, ids stay as the file has them,
/// and a class that it does not have gets a new one.
Dataset read_coco(const std::string& file, const ReadOptions& options);

/// Whether it is a .json file.
bool recognises_coco(const std::string& annotations);

/// Reads a results file: a list, maybe empty, of {image_id, category_id, bbox, score}; with a file_name, which counts
/// instead of the image_id. Detections of unknown categories are dropped with a warning, of unknown images an Error, as
/// in pycocotools; other Errors name the place.
std::vector<Detection> read_coco_results(const std::string& file, const Dataset& truth,
                                         std::vector<std::string>& warnings);

/// Both are written to a temporary file and renamed; numbers read back exactly. Image paths are written as
/// ImageRecord::name; Annotation::difficult has no place in COCO. Throws Error for numbers that are not finite.
void write_coco(const std::string& file, const Dataset& dataset);
void write_coco_results(const std::string& file, const std::vector<Detection>& detections);

}  // namespace diopter
