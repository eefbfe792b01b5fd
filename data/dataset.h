// A detection data set in memory: what every reader returns and every consumer takes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/detection/box.h"

namespace diopter {

/// Box as COCO files hold it: corner, width and height in pixels, in double so that metrics agree with pycocotools.
struct Rect {
  double x, y, w, h;
  Box box() const {
    return {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + w), static_cast<float>(y + h)};
  }
};

struct Annotation {
  std::int64_t id;
  int category;  // index into Dataset::categories
  Rect rect;
  double area;             // COCO's "area" (of the mask, where there is one); otherwise w * h
  bool crowd = false;      // COCO iscrowd: an ignored region, in training and in the metrics
  bool difficult = false;  // VOC difficult: neither a hit nor a miss in VOC metrics; an ignored region in training
};

struct ImageRecord {
  std::int64_t id;
  std::string file;           // path that opens the picture
  std::string name;           // as the annotations call it; what messages and results show
  int width = 0, height = 0;  // 0 when the annotations do not say
  std::vector<Annotation> annotations;
};

struct Category {
  std::int64_t id;
  std::string name;
};

/// A kind of oddity that a reader met (data/readers/reading.h), how often, and where first.
struct Finding {
  std::string kind, text;
  bool dropped;  // left out; otherwise read as the text says
  std::int64_t count;
  std::vector<std::string> places;  // the first three
  std::string line = {};            // all of it, as in Dataset::warnings
};

/// Numbers that were given to ids that are texts, which files of results may use as well.
using TextIds = std::unordered_map<std::string, std::int64_t>;

class PictureStream;  // data/picture_stream.h

struct Dataset {
  std::vector<Category> categories;    // ascending id; their index is the class of training
  std::vector<ImageRecord> images;     // in file order; an image without annotations is a negative
  std::vector<std::string> warnings;   // one line each, for the user: repaired or dropped annotations
  std::vector<Finding> findings = {};  // the same, counted
  TextIds image_text_ids = {}, category_text_ids = {};
  /// Where training pictures come from, if not from the images, which then are examples of them.
  std::shared_ptr<const PictureStream> stream = {};
  std::string origin = {};  // which part of the annotations was read, where there are several; else ""
};

/// One detection, as in COCO's results format.
struct Detection {
  std::int64_t image_id;
  std::int64_t category_id;
  Rect rect;
  double score;
};

/// A detection in pixels of the original picture.
struct DetectedBox {
  Box box;
  int label;  // class index
  float score;
};

}  // namespace diopter
