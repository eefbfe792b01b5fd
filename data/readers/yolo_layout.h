// Where the pictures and labels of a YOLO set lie, and what its classes are called.
#pragma once

#include <string>
#include <vector>

#include "data/readers/reading.h"

namespace diopter {

/// A picture and the file of its boxes; "" where there is none.
struct YoloPicture {
  std::string file, name, labels;
};

struct YoloLayout {
  std::vector<YoloPicture> pictures;  // by name, or in the order of a list
  std::vector<std::string> names;     // of the classes; empty where no file says
  std::string origin;                 // the split that was read and where it lies; "" where there is only one
};

/// Finds out about a data.yaml, a folder, a darknet .data file or a list of pictures, as read_yolo's comment says.
/// Label files without a picture, and names written otherwise, are findings.
YoloLayout find_yolo_layout(const std::string& annotations, const ReadOptions& options, ReadLog& findings);

/// Whether it is a text file whose first line names a picture that has labels in YOLO's form (darknet's train.txt).
bool is_yolo_list(const std::string& file);

bool is_data_yaml(const std::string& file);     // by its extension
bool is_darknet_data(const std::string& file);  // by its extension

}  // namespace diopter
