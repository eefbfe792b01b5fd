#include "data/readers/read_dataset.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "data/readers/coco.h"
#include "data/readers/csv.h"
#include "data/readers/reader_support.h"
#include "data/readers/voc.h"
#include "data/readers/yolo.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

/// Puts the classes into the order of `names` (a COCO file numbers them its own way). Ids stay as they are; a class
/// that the file does not have gets a new one.
void arrange_categories(const std::string& file, Dataset& dataset, const std::vector<std::string>& names) {
  std::unordered_map<std::string, int> number_of;
  for (const std::string& name : names) number_of.emplace(name, static_cast<int>(number_of.size()));
  DIOPTER_CHECK(number_of.size() == names.size(), "two of the classes ", quoted_list(names), " have the same name");

  std::vector<Category> arranged;
  for (const std::string& name : names) arranged.push_back({0, name});
  std::vector<int> new_number;
  std::int64_t next_id = 1;
  std::set<int> taken;
  for (const Category& category : dataset.categories) {
    const auto found = number_of.find(category.name);
    new_number.push_back(found == number_of.end() ? -1 : found->second);
    next_id = std::max(next_id, category.id + 1);
    if (new_number.back() < 0) continue;
    DIOPTER_CHECK(taken.insert(new_number.back()).second, file, ": two categories are called '", category.name, "'");
    arranged[new_number.back()].id = category.id;
  }
  for (std::size_t i = 0; i < arranged.size(); ++i) {
    if (!taken.count(static_cast<int>(i))) arranged[i].id = next_id++;
  }

  for (ImageRecord& image : dataset.images) {
    for (Annotation& annotation : image.annotations) {
      const int number = new_number[annotation.category];
      DIOPTER_CHECK(number >= 0, file, ": annotation ", annotation.id, " of ", image.name, ": class '",
                    dataset.categories[annotation.category].name, "' is not one of ", quoted_list(names));
      annotation.category = number;
    }
  }
  dataset.categories = std::move(arranged);
}

}  // namespace

DatasetFormat recognise_format(const std::string& annotations) {
  if (folder_exists(annotations)) {
    if (!list_files(annotations, is_xml).empty()) return DatasetFormat::voc;
    if (!list_files(annotations, is_text).empty() || folder_exists(std::filesystem::path(annotations) / "labels")) {
      return DatasetFormat::yolo;
    }
    fail(annotations, ": the folder holds neither .xml files (VOC) nor .txt files or a folder 'labels' (YOLO)");
  }
  DIOPTER_CHECK(file_exists(annotations), annotations, ": no such file or folder");
  const std::string extension = extension_of(annotations);
  if (extension == ".json") return DatasetFormat::coco;
  if (extension == ".csv") return DatasetFormat::csv;
  if (extension == ".txt") return DatasetFormat::voc;
  if (extension == ".yaml" || extension == ".yml") return DatasetFormat::yolo;
  fail(annotations, ": neither .json (COCO), .csv, .txt (VOC split) nor .yaml (YOLO)");
}

DatasetFormat format_from_name(const std::string& name) {
  if (name == "coco") return DatasetFormat::coco;
  if (name == "voc") return DatasetFormat::voc;
  if (name == "csv") return DatasetFormat::csv;
  if (name == "yolo") return DatasetFormat::yolo;
  fail("format '", name, "' is not one of 'coco', 'voc', 'csv', 'yolo'");
}

Dataset read_dataset(DatasetFormat format, const std::string& annotations, const std::string& images,
                     const std::vector<std::string>& categories) {
  switch (format) {
    case DatasetFormat::voc:
      return read_voc(annotations, images, categories);
    case DatasetFormat::csv:
      return read_csv(annotations, images, categories);
    case DatasetFormat::yolo:
      return read_yolo(annotations, images, categories);
    case DatasetFormat::coco:
      break;
  }
  Dataset dataset = read_coco(annotations, images);
  if (!categories.empty()) arrange_categories(annotations, dataset, categories);
  return dataset;
}

}  // namespace diopter
