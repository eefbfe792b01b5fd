#include "data/readers/yolo.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>

#include "data/pictures/image.h"
#include "data/readers/reader_support.h"
#include "data/readers/yolo_layout.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = trim(line); !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    fields.push_back(rest.substr(0, end));
    rest = trim(rest.substr(end));
  }
  return fields;
}

/// A class number; 3.0 (from pandas) is 3.
int class_of(std::string_view field, const std::string& place) {
  constexpr auto kMaxClass = static_cast<int>(limits::kYoloClass.value);
  const std::optional<double> number = parse_number(field);
  DIOPTER_CHECK(number && *number >= 0 && *number <= kMaxClass && *number == std::floor(*number), place,
                ": the class is '", field, "', not a number from 0 to ", kMaxClass);
  return static_cast<int>(*number);
}

/// The numbers behind the class, which are shares of the picture's size: a per cent beyond is clamped. Nothing, with a
/// finding, where one is no such share; the sizes of a box must not be negative.
std::optional<std::vector<double>> shares_of(const std::vector<std::string_view>& fields, std::size_t count, bool box,
                                             const std::string& place, ReadLog& findings) {
  constexpr double kSlack = 0.01;
  std::vector<double> shares;
  for (std::size_t i = 0; i < count; ++i) {
    const std::optional<double> value = parse_number(fields[1 + i]);
    const Oddity* odd = !value || !std::isfinite(*value)          ? &oddity::kNoNumber
                        : box && i >= 2 && *value < 0             ? &oddity::kEmptyBox
                        : *value < -kSlack || *value > 1 + kSlack ? &oddity::kBeyond
                                                                  : nullptr;
    if (odd) {
      findings.add(*odd, place + ", '" + std::string(fields[1 + i]) + "'");
      return std::nullopt;
    }
    shares.push_back(std::clamp(*value, 0.0, 1.0));
  }
  return shares;
}

/// Corner and size in shares of the picture's. Nothing, with a finding, where the line has no box that can be used.
std::optional<Rect> box_of(const std::vector<std::string_view>& fields, const std::string& place, ReadLog& findings) {
  constexpr std::size_t kBox = 5, kPolygon = 7;  // columns; polygons have at least three corners
  const std::size_t columns = fields.size();
  const bool box = columns == kBox || columns == kBox + 1;
  if (!box && (columns < kPolygon || columns % 2 == 0)) {
    findings.add(oddity::kNoLabel, place + ", " + std::to_string(columns) + (columns == 1 ? " column" : " columns"));
    return std::nullopt;
  }
  const std::optional<std::vector<double>> v = shares_of(fields, box ? 4 : columns - 1, box, place, findings);
  if (!v) return std::nullopt;
  Rect rect;
  if (box) {
    if (columns > kBox) findings.add(oddity::kSixthColumn, place);
    rect = {(*v)[0] - (*v)[2] / 2, (*v)[1] - (*v)[3] / 2, (*v)[2], (*v)[3]};
  } else {
    findings.add(oddity::kPolygon, place);
    double low[2] = {1, 1}, high[2] = {0, 0};
    for (std::size_t i = 0; i < v->size(); ++i) {
      low[i % 2] = std::min(low[i % 2], (*v)[i]);
      high[i % 2] = std::max(high[i % 2], (*v)[i]);
    }
    rect = {low[0], low[1], high[0] - low[0], high[1] - low[1]};
  }
  if (rect.w > 0 && rect.h > 0) return rect;
  findings.add(oddity::kEmptyBox, place);
  return std::nullopt;
}

/// Reads the boxes of one picture. Classes keep the numbers of the file when they have no names.
void read_labels(const std::string& file, const std::vector<std::string>& names, ClassNumbers& classes,
                 ImageRecord& record, std::int64_t& annotation_id, ReadLog& findings) {
  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string_view> fields = fields_of(lines[i]);
    if (fields.empty()) continue;
    const std::string place = file + ": line " + std::to_string(i + 1);
    const std::optional<Rect> share = box_of(fields, place, findings);
    if (!share) continue;
    const int number = class_of(fields[0], place);
    DIOPTER_CHECK(names.empty() || number < static_cast<int>(names.size()), place, ": class ", number,
                  ", but there are only ", names.size(), ": ", quoted_list(names));
    const int category = names.empty() ? number : classes.number(names[static_cast<std::size_t>(number)], place);
    const Rect rect{share->x * record.width, share->y * record.height, share->w * record.width,
                    share->h * record.height};
    record.annotations.push_back({.id = ++annotation_id, .category = category, .rect = rect, .area = rect.w * rect.h});
  }
}

/// Sets the record's size; false, with a warning, when the picture cannot be read.
bool read_size(ImageRecord& record, std::vector<std::string>& warnings) {
  try {
    read_image_size(record.file, record.width, record.height);
    return true;
  } catch (const Error& error) {
    warnings.push_back(std::string(error.what()) + "; its boxes are left out");
    return false;
  }
}

/// "0", "1", ... up to the largest class that occurs.
std::vector<std::string> numbers_as_names(const Dataset& dataset) {
  int classes = 0;
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& annotation : image.annotations) classes = std::max(classes, annotation.category + 1);
  }
  std::vector<std::string> names;
  for (int i = 0; i < classes; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

bool recognises_yolo(const std::string& annotations) {
  if (!folder_exists(annotations))
    return is_data_yaml(annotations) || is_darknet_data(annotations) || is_yolo_list(annotations);
  const fs::path folder = annotations;
  return folder_exists(folder / "labels") || file_exists(folder / "data.yaml") || file_exists(folder / "data.yml") ||
         !files_below(annotations, is_text).empty();
}

Dataset read_yolo(const std::string& annotations, const ReadOptions& options) {
  ReadLog findings("", options.strict);
  YoloLayout layout = find_yolo_layout(annotations, options, findings);
  if (layout.names.empty()) layout.names = options.categories;

  Dataset dataset;
  dataset.origin = layout.origin;
  ClassNumbers classes(options.categories.empty() ? layout.names : options.categories);
  std::int64_t annotation_id = 0;
  for (const YoloPicture& picture : layout.pictures) {
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.file = picture.file;
    record.name = picture.name;
    if (read_size(record, dataset.warnings) && !picture.labels.empty()) {
      read_labels(picture.labels, layout.names, classes, record, annotation_id, findings);
    }
    dataset.images.push_back(std::move(record));
  }
  if (layout.names.empty()) classes = ClassNumbers(numbers_as_names(dataset));
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
