// Annotations of any format.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter {

enum class DatasetFormat { coco, voc, csv, yolo };

/// coco: a .json file; voc: a folder with .xml files or a split file (.txt list of names) beside such a folder;
/// csv: a .csv file; yolo: a data.yaml, or a folder with .txt files. Throws Error when none fits.
DatasetFormat recognise_format(const std::string& annotations);

/// "coco", "voc", "csv" or "yolo"; throws Error otherwise.
DatasetFormat format_from_name(const std::string& name);

/// Reads annotations of any format. `images` is the folder in which the pictures lie (may be "" for voc, csv and yolo:
/// then as the format's habits say). `categories`: when not empty, classes that the annotations must be of (names;
/// another one is an error) in that order: a validation set must use the classes of its training set.
/// Throws Error with file and place (line, key or index) for anything that cannot be used.
Dataset read_dataset(DatasetFormat format, const std::string& annotations, const std::string& images,
                     const std::vector<std::string>& categories = {});

}  // namespace diopter
