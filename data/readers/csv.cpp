#include "data/readers/csv.h"

#include <cmath>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

constexpr std::size_t kColumns = 6;
constexpr const char* kCoordinates[] = {"x1", "y1", "x2", "y2"};

std::vector<std::string> fields_of(const std::string& line, const std::string& place) {
  std::optional<std::vector<std::string>> fields = csv_fields(line);
  DIOPTER_CHECK(fields, place, ": a quote is not closed");
  for (std::string& field : *fields) field = std::string(trim(field));
  return *fields;
}

/// Whether the coordinates are words, as in a header, rather than numbers, one mistyped number or nothing.
bool is_header(const std::vector<std::string>& fields) {
  for (std::size_t i = 1; i <= 4; ++i) {
    if (fields[i].empty() || parse_number(fields[i])) return false;
  }
  return true;
}

Rect parse_box(const std::vector<std::string>& fields, const std::string& place) {
  double corner[4];
  for (int i = 0; i < 4; ++i) {
    const std::optional<double> value = parse_number(fields[1 + i]);
    DIOPTER_CHECK(value && std::isfinite(*value), place, ": ", kCoordinates[i], " is '", fields[1 + i],
                  "', not a finite number");
    corner[i] = *value;
  }
  DIOPTER_CHECK(corner[2] > corner[0], place, ": x2 is not larger than x1");
  DIOPTER_CHECK(corner[3] > corner[1], place, ": y2 is not larger than y1");
  return {corner[0], corner[1], corner[2] - corner[0], corner[3] - corner[1]};
}

}  // namespace

bool recognises_csv(const std::string& annotations) {
  return file_exists(annotations) && extension_of(annotations) == ".csv";
}

Dataset read_csv(const std::string& file, const std::string& image_folder, const std::vector<std::string>& categories) {
  const std::filesystem::path folder =
      image_folder.empty() ? std::filesystem::path(file).parent_path() : std::filesystem::path(image_folder);
  Dataset dataset;
  ClassNumbers classes(categories);
  std::unordered_map<std::string, std::size_t> image_of_path;
  std::int64_t annotation_id = 0;

  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    const std::string place = file + ": line " + std::to_string(i + 1);
    const std::vector<std::string> fields = fields_of(lines[i], place);
    DIOPTER_CHECK(fields.size() == kColumns, place, ": ", fields.size(), fields.size() == 1 ? " column" : " columns",
                  " instead of the six of path,x1,y1,x2,y2,class");
    if (i == 0 && is_header(fields)) continue;

    const std::string& path = fields[0];
    DIOPTER_CHECK(!path.empty(), place, ": the path is empty");
    const auto [entry, is_new] = image_of_path.emplace(path, dataset.images.size());
    if (is_new) {
      ImageRecord record;
      record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
      record.file = (folder / path).string();
      record.name = path;
      dataset.images.push_back(std::move(record));
    }
    bool negative = true;
    for (std::size_t f = 1; f < kColumns; ++f) negative = negative && fields[f].empty();
    if (negative) continue;

    const Rect rect = parse_box(fields, place);
    const int category = classes.number(fields[5], place);
    dataset.images[entry->second].annotations.push_back(
        {.id = ++annotation_id, .category = category, .rect = rect, .area = rect.w * rect.h});
  }
  DIOPTER_CHECK(!dataset.images.empty(), file, ": no pictures are listed");
  classes.finish(dataset);
  return dataset;
}

}  // namespace diopter
