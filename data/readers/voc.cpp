#include "data/readers/voc.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "data/pictures/image.h"
#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "data/readers/xml_file.h"
#include "data/readers/yolo_layout.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;

/// The XML files to read and the folder they lie in.
struct XmlFiles {
  fs::path folder;
  std::vector<std::string> names;
};

/// First column of the line, without a picture's extension.
std::string name_of_line(const std::string& line) {
  const std::string_view text = trim(line);
  const fs::path name(text.substr(0, text.find_first_of(" \t")));
  return is_picture(name) ? fs::path(name).replace_extension().string() : name.string();
}

/// Follows a split file to the XML files of its names.
XmlFiles read_split(const fs::path& split, ReadLog& findings) {
  const fs::path here = split.parent_path();
  const fs::path candidates[] = {here / ".", here / "../Annotations", here / "../../Annotations",
                                 here / "../annotations_original"};
  const std::vector<std::string> lines = read_lines(split);
  XmlFiles files;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string name = name_of_line(lines[i]);
    if (name.empty()) continue;
    const std::string place = split.string() + ": line " + std::to_string(i + 1);
    const std::string xml = name + ".xml";
    if (files.names.empty()) {
      const auto found = std::find_if(std::begin(candidates), std::end(candidates),
                                      [&](const fs::path& folder) { return file_exists(folder / xml); });
      DIOPTER_CHECK(found != std::end(candidates), place, ": ", xml,
                    " is not beside the file, nor in ../Annotations, ../../Annotations or ../annotations_original");
      files.folder = found->lexically_normal();
    }
    DIOPTER_CHECK(file_exists(files.folder / xml), place, ": ", (files.folder / xml).string(), " does not exist");
    if (seen.insert(xml).second) {
      files.names.push_back(xml);
    } else {
      findings.add(oddity::kTwice, place + ", '" + name + "'");
    }
  }
  DIOPTER_CHECK(!files.names.empty(), split.string(), ": no pictures are listed");
  return files;
}

/// The list of a split in a folder of the VOC kit; "" where the folder is no such one.
std::string kit_list(const fs::path& folder, DatasetSplit split) {
  if (!folder_exists(folder / "Annotations") || !folder_exists(folder / "ImageSets" / "Main")) return "";
  return folder / "ImageSets" / "Main" / (std::string(kDatasetSplitNames[static_cast<int>(split)]) + ".txt");
}

XmlFiles find_xml_files(const std::string& annotations, const ReadOptions& options, ReadLog& findings,
                        std::string& origin) {
  if (const std::string list = kit_list(annotations, options.split); !list.empty()) {
    origin = list;
    return read_split(list, findings);
  }
  refuse_split(annotations, options);
  if (file_exists(annotations)) return read_split(annotations, findings);
  XmlFiles files{annotations, list_files(annotations, is_xml)};
  DIOPTER_CHECK(!files.names.empty(), annotations, ": no .xml files");
  return files;
}

/// ../JPEGImages or ../images beside the annotations, or the annotations' own folder (labelImg, Roboflow).
fs::path habitual_picture_folder(const fs::path& annotation_folder) {
  const fs::path parent = fs::absolute(annotation_folder / ".").lexically_normal().parent_path().parent_path();
  for (const char* name : {"JPEGImages", "images"}) {
    if (folder_exists(parent / name)) return parent / name;
  }
  return annotation_folder;
}

/// Name of the picture in `folder`: <filename>, or the XML's own name with an extension for which there is a file.
std::string find_picture(const XmlFile& voc, const fs::path& folder, const std::string& xml, PictureNames& pictures,
                         ReadLog& findings) {
  const pugi::xml_node node = voc.root().child("filename");
  const std::string stated(trim(node.child_value()));
  if (!stated.empty() && file_exists(folder / stated)) return stated;

  const std::string stem = fs::path(xml).stem().string();
  for (const char* extension : {".jpg", ".jpeg", ".png", ".bmp", ".JPG", ".JPEG", ".PNG", ".BMP"}) {
    const std::string name = stem + extension;
    if (!file_exists(folder / name)) continue;
    findings.add(oddity::kOtherPicture, voc.place(node) + ", '" + name + "' instead of '" + stated + "'");
    return name;
  }
  const std::string name = stated.empty() ? stem + ".jpg" : stated;
  const fs::path found = pictures.find(name, voc.place(node));
  if (!file_exists(found)) findings.add(oddity::kMissingPicture, voc.place(node) + ", '" + name + "'");
  return found.lexically_relative(folder);
}

/// The picture's size as the file states it; 0 x 0 when it does not.
void read_size(const XmlFile& voc, ImageRecord& record) {
  constexpr double kLargest = 1 << 24;
  const pugi::xml_node size = voc.root().child("size");
  if (!size) return;
  const double width = voc.number(size, "width"), height = voc.number(size, "height");
  DIOPTER_CHECK(width >= 0 && height >= 0 && width <= kLargest && height <= kLargest, voc.place(size), ": a size of ",
                width, " x ", height);
  if (width == 0 || height == 0) return;
  record.width = static_cast<int>(width);
  record.height = static_cast<int>(height);
}

/// xmin, ymin, xmax, ymax; nothing, with a finding, where one of them is no finite number.
std::optional<std::array<double, 4>> edges_of(const XmlFile& voc, const pugi::xml_node& corners, ReadLog& findings) {
  std::array<double, 4> edges;
  const char* names[] = {"xmin", "ymin", "xmax", "ymax"};
  for (std::size_t i = 0; i < 4; ++i) {
    const pugi::xml_node node = corners.child(names[i]);
    const std::optional<double> value = parse_number(node.child_value());
    if (!value || !std::isfinite(*value)) {
      findings.add(oddity::kNoNumber,
                   voc.place(node ? node : corners) + ", <" + names[i] + "> is '" + node.child_value() + "'");
      return std::nullopt;
    }
    edges[i] = *value;
  }
  return edges;
}

}  // namespace

bool recognises_voc(const std::string& annotations) {
  if (!folder_exists(annotations)) return is_text(annotations) && !is_yolo_list(annotations);
  return !list_files(annotations, is_xml).empty() || !kit_list(annotations, DatasetSplit::train).empty();
}

Dataset read_voc(const std::string& annotations, const ReadOptions& options) {
  Dataset dataset;
  ReadLog findings("", options.strict);
  const XmlFiles files = find_xml_files(annotations, options, findings, dataset.origin);
  const fs::path pictures = options.images.empty() ? habitual_picture_folder(files.folder) : fs::path(options.images);
  DIOPTER_CHECK(folder_exists(pictures), pictures.string(), ": no such folder");

  PictureNames names(pictures, findings);
  ClassNumbers classes(options.categories);
  std::int64_t annotation_id = 0;
  for (const std::string& xml : files.names) {
    const XmlFile voc(files.folder / xml, "annotation", "a Pascal VOC file");
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.name = find_picture(voc, pictures, xml, names, findings);
    record.file = (pictures / record.name).string();
    read_size(voc, record);
    for (const pugi::xml_node& object : voc.root().children("object")) {
      const std::string name(trim(object.child("name").child_value()));
      const int category = classes.number(name, voc.place(object));
      const pugi::xml_node corners = object.child("bndbox");
      if (!corners) {
        findings.add(oddity::kNoBox, voc.place(object) + ", '" + name + "'");
        continue;
      }
      const std::optional<std::array<double, 4>> edges = edges_of(voc, corners, findings);
      if (!edges) continue;
      const auto [x1, y1, x2, y2] = *edges;
      const Rect rect{x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1};
      if (x2 <= x1 || y2 <= y1 || is_outside(rect, record)) {
        findings.add(x2 <= x1 || y2 <= y1 ? oddity::kEmptyBox : oddity::kOutside,
                     voc.place(corners) + ", '" + name + "'");
        continue;
      }
      record.annotations.push_back({.id = ++annotation_id,
                                    .category = category,
                                    .rect = rect,
                                    .area = rect.w * rect.h,
                                    .difficult = object.child("difficult").text().as_bool()});
    }
    dataset.images.push_back(std::move(record));
  }
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
