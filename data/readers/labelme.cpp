#include "data/readers/labelme.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

bool is_labelme_file(const std::string& file) {
  return begins_with(file, '{', {"\"shapes\""}) &&
         begins_with(file, '{', {"\"shape_type\"", "\"imagePath\"", "\"imageData\"", "\"flags\""});
}

/// x, y, x, y, ...; empty where a point is not two numbers.
std::vector<double> corners_of(const Json& shape) {
  std::vector<double> corners;
  if (!shape.contains("points") || !shape["points"].is_array()) return corners;
  for (const Json& point : shape["points"]) {
    if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) return {};
    corners.insert(corners.end(), {point[0].get<double>(), point[1].get<double>()});
  }
  return corners;
}

/// The shape's box; nothing, with a finding, where it has none.
std::optional<Rect> box_of(const Json& shape, const std::string& place, ReadLog& findings) {
  const std::string kind = text_in(shape, "shape_type").value_or("polygon");
  const std::vector<double> p = corners_of(shape);
  const bool two = p.size() == 4;
  if (two && (kind == "rectangle" || kind == "mask")) {
    if (kind == "mask") findings.add(oddity::kMask, place);
    return Rect{std::min(p[0], p[2]), std::min(p[1], p[3]), std::abs(p[2] - p[0]), std::abs(p[3] - p[1])};
  }
  if (two && kind == "circle") {
    findings.add(oddity::kRound, place);
    const double radius = std::hypot(p[2] - p[0], p[3] - p[1]);
    return box_of_ellipse(p[0], p[1], radius, radius, 0);
  }
  if (kind == "polygon" || kind == "rectangle" || kind == "oriented_rectangle") {
    const std::optional<Rect> rect = box_of_polygon(p);
    findings.add(rect ? oddity::kPolygon : oddity::kNoNumber, place);
    return rect;
  }
  findings.add(oddity::kNoLabel, place + ", '" + kind + "'");
  return std::nullopt;
}

}  // namespace

bool recognises_labelme(const std::string& annotations) {
  if (!folder_exists(annotations))
    return file_exists(annotations) && is_json(annotations) && is_labelme_file(annotations);
  const std::vector<std::string> files = list_files(annotations, is_json);
  return !files.empty() && is_labelme_file(fs::path(annotations) / files[0]);
}

Dataset read_labelme(const std::string& annotations, const ReadOptions& options) {
  refuse_split(annotations, options);
  const bool is_folder = folder_exists(annotations);
  const fs::path folder = is_folder ? fs::path(annotations) : fs::path(annotations).parent_path();
  const std::vector<std::string> files =
      is_folder ? list_files(annotations, is_json) : std::vector{fs::path(annotations).filename().string()};
  DIOPTER_CHECK(!files.empty(), annotations, ": no .json files");
  ReadLog findings("", options.strict);
  PictureNames pictures(options.images.empty() ? folder.string() : options.images, findings);
  ClassNumbers classes(options.categories);
  Dataset dataset;
  dataset.origin = "as labelme's JSON";
  std::int64_t annotation_id = 0;
  for (const std::string& name : files) {
    const std::string file = (folder / name).string();
    const Json whole = read_json(file);
    DIOPTER_CHECK(whole.is_object() && whole.contains("shapes") && whole["shapes"].is_array(), file,
                  ": has no list \"shapes\", so not labelme's");
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.name = text_in(whole, "imagePath").value_or("");
    if (record.name.empty()) record.name = fs::path(name).stem().string();
    record.file = options.find_pictures ? pictures.find(record.name, file) : record.name;
    record.width = size_from(number_in(whole, "imageWidth"));
    record.height = size_from(number_in(whole, "imageHeight"));
    const Json& shapes = whole["shapes"];
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::string place = file + ": shapes[" + std::to_string(i) + "]";
      DIOPTER_CHECK(shapes[i].is_object(), place, ": must be an object");
      const std::optional<Rect> rect = box_of(shapes[i], place, findings);
      if (!rect || !is_usable(*rect, record, place, findings)) continue;
      const std::string label(trim(text_in(shapes[i], "label").value_or("")));
      if (label.empty()) {
        findings.add(oddity::kNoClass, place);
        continue;
      }
      record.annotations.push_back(
          {.id = ++annotation_id, .category = classes.number(label, place), .rect = *rect, .area = rect->w * rect->h});
    }
    dataset.images.push_back(std::move(record));
  }
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
