#include "tools/command/reading.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "kernels/base/text.h"
#include "tools/command/command.h"

namespace diopter {

std::string name_of(const std::vector<std::string>& annotations) { return join(annotations); }

Option add_annotations_option(Command& command, const std::string& name, std::vector<std::string>& annotations,
                              const std::string& description) {
  return command.repeated(name, annotations, description + "; again for each file of a set of several")
      .type("FILE")
      .one_each();
}

void add_reading_options(Command& command, Reading& reading, const std::string& usual) {
  command.text("--format", reading.format, format_names() + "; recognised from the files when not given").type("NAME");
  command
      .choice("--split", reading.split, {std::begin(kDatasetSplitNames), std::end(kDatasetSplitNames)},
              "Part of a data.yaml, .data file or VOC kit to read; " + usual)
      .default_in_words()
      .type("NAME");
  command.flag("--strict", reading.strict,
               "Annotations that cannot be used are errors; otherwise counted and left out");
}

ReadOptions read_options(const Reading& reading, const std::string& images, const std::vector<std::string>& classes,
                         DatasetSplit usual) {
  const auto chosen = std::find(std::begin(kDatasetSplitNames), std::end(kDatasetSplitNames), reading.split);
  const bool asked = chosen != std::end(kDatasetSplitNames);
  return {.images = images,
          .categories = classes,
          .split = asked ? static_cast<DatasetSplit>(chosen - std::begin(kDatasetSplitNames)) : usual,
          .split_asked = asked,
          .strict = reading.strict};
}

void print_origin(const std::vector<std::string>& annotations, const Dataset& dataset) {
  if (dataset.origin.empty()) return;
  std::fprintf(stderr, "diopter: %s: read %s\n", name_of(annotations).c_str(), dataset.origin.c_str());
}

Dataset read_annotations(const Reading& reading, const std::vector<std::string>& annotations, const std::string& images,
                         const std::vector<std::string>& classes, DatasetSplit usual) {
  Dataset dataset = read_dataset(reading.format, annotations, read_options(reading, images, classes, usual));
  print_origin(annotations, dataset);
  print_warnings(dataset.warnings);
  return dataset;
}

}  // namespace diopter
