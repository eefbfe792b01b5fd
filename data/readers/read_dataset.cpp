#include "data/readers/read_dataset.h"

#include <utility>

#include "data/readers/coco.h"
#include "data/readers/csv.h"
#include "data/readers/cvat.h"
#include "data/readers/label_studio.h"
#include "data/readers/labelme.h"
#include "data/readers/merge_datasets.h"
#include "data/readers/via.h"
#include "data/readers/voc.h"
#include "data/readers/yolo.h"
#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// Asked in this order which of them recognises annotations.
constexpr DatasetFormat kFormats[] = {
    {"label_studio", "a .json file with a list of tasks", recognises_label_studio, read_label_studio},
    {"via", "a .json or .csv file with region attributes", recognises_via, read_via},
    {"labelme", "a .json file with shapes, or a folder of them", recognises_labelme, read_labelme},
    {"cvat", "an .xml file", recognises_cvat, read_cvat},
    {"coco", "any other .json file", recognises_coco, read_coco},
    {"voc", "a folder with .xml files, a split file .txt beside such a folder, or a folder of the VOC kit",
     recognises_voc, read_voc},
    {"csv", "a .csv or .tsv file", recognises_csv, read_csv},
    {"yolo", "a data.yaml, a .data file, a list of pictures, or a folder with .txt files or a folder 'labels'",
     recognises_yolo, read_yolo},
};

}  // namespace

std::span<const DatasetFormat> dataset_formats() { return kFormats; }

std::string format_names() {
  std::vector<std::string> names;
  for (const DatasetFormat& format : kFormats) names.emplace_back(format.name);
  const std::string last = names.back();
  names.pop_back();
  return join(names) + " or " + last;
}

const DatasetFormat& recognise_format(const std::string& annotations) {
  DIOPTER_CHECK(file_exists(annotations) || folder_exists(annotations), annotations, ": no such file or folder");
  for (const DatasetFormat& format : kFormats) {
    if (format.recognises(annotations)) return format;
  }
  fail(annotations, ": no format of data sets has such files; ", join(kFormats, "; ", [](const DatasetFormat& format) {
         return std::string(format.name) + " has " + format.files;
       }));
}

const DatasetFormat& format_from_name(const std::string& name) {
  std::vector<std::string> names;
  for (const DatasetFormat& format : kFormats) {
    if (name == format.name) return format;
    names.emplace_back(format.name);
  }
  fail("unknown format ", name, hint_with_list(name, names));
}

Dataset read_dataset(const std::string& format, const std::string& annotations, const ReadOptions& options) {
  const DatasetFormat& chosen = format.empty() ? recognise_format(annotations) : format_from_name(format);
  return chosen.read(annotations, options);
}

Dataset read_dataset(const std::string& format, const std::vector<std::string>& annotations,
                     const ReadOptions& options) {
  std::vector<Dataset> parts;
  for (const std::string& file : annotations) parts.push_back(read_dataset(format, file, options));
  return merge_datasets(std::move(parts));
}

}  // namespace diopter
