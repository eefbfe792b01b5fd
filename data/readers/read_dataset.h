// Annotations of any format.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/readers/reading.h"

namespace diopter {

/// A format of annotations. A new one is a file with its two functions, and a row in read_dataset.cpp.
struct DatasetFormat {
  const char* name;                                    // of --format
  const char* files;                                   // that `recognises` accepts, in words
  bool (*recognises)(const std::string& annotations);  // an existing file or folder, by names and first lines

  /// Throws Error with file and place (line, key or index) for what is no data set; single annotations that cannot be
  /// used are left out and counted in Dataset::findings.
  Dataset (*read)(const std::string& annotations, const ReadOptions& options);
};

std::span<const DatasetFormat> dataset_formats();

/// "coco, voc, ... or yolo", for help.
std::string format_names();

/// The first format that recognises the annotations. Throws Error when there is no such file or folder, or none does.
const DatasetFormat& recognise_format(const std::string& annotations);

/// The format of that name; throws Error when there is none.
const DatasetFormat& format_from_name(const std::string& name);

/// Reads annotations as DatasetFormat::read does. `format` is a name, or "" for the format that recognises them. A
/// validation set must use the classes of its training set: they are its options.categories.
Dataset read_dataset(const std::string& format, const std::string& annotations, const ReadOptions& options);

/// The same of several files or folders, which make one set (merge_datasets).
Dataset read_dataset(const std::string& format, const std::vector<std::string>& annotations,
                     const ReadOptions& options);

}  // namespace diopter
