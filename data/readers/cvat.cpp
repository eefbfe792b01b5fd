#include "data/readers/cvat.h"

#include <cctype>
#include <filesystem>
#include <limits>
#include <optional>

#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "data/readers/xml_file.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;

/// Not a number where the attribute is missing or no number.
double number_of(const pugi::xml_node& node, const char* attribute) {
  return parse_number(node.attribute(attribute).value()).value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Corners "x,y;x,y;..." one after another; empty where they make no sense.
std::vector<double> corners_of(std::string_view points) {
  std::vector<double> corners;
  while (!points.empty()) {
    const std::size_t end = points.find_first_of(",;");
    const std::optional<double> value = parse_number(points.substr(0, end));
    if (!value) return {};
    corners.push_back(*value);
    points.remove_prefix(end == std::string_view::npos ? points.size() : end + 1);
  }
  return corners;
}

/// The box of a shape; nothing, with a finding, of kinds that have none. What it was taken from is a finding as well.
std::optional<Rect> box_of(const pugi::xml_node& shape, const std::string& place, ReadLog& findings) {
  const std::string kind = shape.name();
  const double degrees = shape.attribute("rotation") ? number_of(shape, "rotation") : 0;
  if (kind == "box") {
    const double left = number_of(shape, "xtl"), top = number_of(shape, "ytl"), right = number_of(shape, "xbr"),
                 bottom = number_of(shape, "ybr");
    if (degrees != 0) findings.add(oddity::kTurned, place);
    return box_of_turned({left, top, right - left, bottom - top}, degrees, (left + right) / 2, (top + bottom) / 2);
  }
  if (kind == "polygon") {
    const std::optional<Rect> rect = box_of_polygon(corners_of(shape.attribute("points").value()));
    findings.add(rect ? oddity::kPolygon : oddity::kNoNumber, place);
    return rect;
  }
  if (kind == "ellipse") {
    findings.add(oddity::kRound, place);
    return box_of_ellipse(number_of(shape, "cx"), number_of(shape, "cy"), number_of(shape, "rx"),
                          number_of(shape, "ry"), degrees);
  }
  if (kind == "mask") {
    findings.add(oddity::kMask, place);
    return Rect{number_of(shape, "left"), number_of(shape, "top"), number_of(shape, "width"),
                number_of(shape, "height")};
  }
  findings.add(oddity::kNoLabel, place + ", <" + kind + ">");
  return std::nullopt;
}

std::string subset_of(const pugi::xml_node& image) { return image.attribute("subset").value(); }

/// Whether this is how a subset for the split is called: "Train", "validation", "val", "test".
bool is_split(std::string subset, DatasetSplit split) {
  for (char& c : subset) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return subset.starts_with(kDatasetSplitNames[static_cast<int>(split)]);
}

/// Whether a subset is called as the split.
bool has_subset(const pugi::xml_node& root, DatasetSplit split) {
  for (const pugi::xml_node& image : root.children("image")) {
    if (is_split(subset_of(image), split)) return true;
  }
  return false;
}

}  // namespace

bool recognises_cvat(const std::string& annotations) { return file_exists(annotations) && is_xml(annotations); }

Dataset read_cvat(const std::string& file, const ReadOptions& options) {
  const XmlFile xml(file, "annotations", "CVAT's XML (a folder of Pascal VOC files is named as a folder)");
  DIOPTER_CHECK(!xml.root().child("track"), xml.place(xml.root().child("track")),
                ": <track>: labels of a video; export them as 'CVAT for images 1.1'");
  const bool by_subset = has_subset(xml.root(), options.split);
  if (!by_subset) refuse_split(file, options);
  const fs::path own_folder = fs::path(file).parent_path();
  const fs::path habitual = folder_exists(own_folder / "images") ? own_folder / "images" : own_folder;
  ReadLog findings(file, options.strict);
  PictureNames pictures(options.images.empty() ? habitual.string() : options.images, findings);
  ClassNumbers classes(options.categories);
  Dataset dataset;
  dataset.origin = "as CVAT's XML";
  if (by_subset)
    dataset.origin += std::string(", the subset for ") + kDatasetSplitNames[static_cast<int>(options.split)];
  std::int64_t annotation_id = 0;
  for (const pugi::xml_node& image : xml.root().children("image")) {
    if (by_subset && !is_split(subset_of(image), options.split)) continue;
    const std::string line = xml.line(image.offset_debug());
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.name = image.attribute("name").value();
    DIOPTER_CHECK(!record.name.empty(), file, ": ", line, ": <image> has no name");
    record.file = options.find_pictures ? pictures.find(record.name, line) : record.name;
    record.width = size_from(parse_number(image.attribute("width").value()));
    record.height = size_from(parse_number(image.attribute("height").value()));
    for (const pugi::xml_node& shape : image.children()) {
      if (shape.type() != pugi::node_element || std::string_view(shape.name()) == "tag") continue;
      const std::string place = xml.line(shape.offset_debug());
      const std::optional<Rect> rect = box_of(shape, place, findings);
      if (!rect || !is_usable(*rect, record, place, findings)) continue;
      const std::string label(trim(shape.attribute("label").value()));
      if (label.empty()) {
        findings.add(oddity::kNoClass, place);
        continue;
      }
      record.annotations.push_back({.id = ++annotation_id,
                                    .category = classes.number(label, file + ": " + place),
                                    .rect = *rect,
                                    .area = rect->w * rect->h});
    }
    dataset.images.push_back(std::move(record));
  }
  DIOPTER_CHECK(!dataset.images.empty(), file, ": no <image> elements");
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
