// Options of commands that read annotations.
#pragma once

#include <string>
#include <vector>

#include "data/readers/read_dataset.h"
#include "tools/command/options.h"

namespace diopter {

struct Reading {
  std::string format, split;
  bool strict = false;
};

/// Annotations as the user named them, for messages.
std::string name_of(const std::vector<std::string>& annotations);

/// Adds the option for annotations: files and folders that make one set.
Option add_annotations_option(Command& command, const std::string& name, std::vector<std::string>& annotations,
                              const std::string& description);

/// Adds --format, --split and --strict. `usual`: what --split is when it is not given, in words.
void add_reading_options(Command& command, Reading& reading, const std::string& usual);

/// Says on stderr which part of the annotations was read, where there are several.
void print_origin(const std::vector<std::string>& annotations, const Dataset& dataset);

/// Reads annotations and prints which part of them was read, and warnings. `usual` is the split where none is asked
/// for.
Dataset read_annotations(const Reading& reading, const std::vector<std::string>& annotations, const std::string& images,
                         const std::vector<std::string>& classes, DatasetSplit usual);

/// The options for DatasetFormat::read.
ReadOptions read_options(const Reading& reading, const std::string& images, const std::vector<std::string>& classes,
                         DatasetSplit usual);

}  // namespace diopter
