#include "tools/detect/exports.h"

#include <algorithm>
#include <filesystem>
#include <pugixml.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;
using Classes = std::vector<std::string>;
using ExportedPictures = std::vector<ExportedPicture>;
using Json = nlohmann::ordered_json;

std::string without_extension(const std::string& name) { return fs::path(name).stem().string(); }

double wide(float value) { return static_cast<double>(value); }

// ---- Formats of one file

std::string csv_text(const ExportedPictures& pictures, const Classes& classes) {
  CsvText csv({"filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "score"});
  for (const ExportedPicture& picture : pictures) {
    const auto begin = [&] { csv << picture.name << std::int64_t{picture.width} << std::int64_t{picture.height}; };
    for (const DetectedBox& d : picture.boxes) {
      begin();
      csv << classes[d.label] << wide(d.box.x1) << wide(d.box.y1) << wide(d.box.x2) << wide(d.box.y2) << wide(d.score);
      csv.end_line();
    }
    if (!picture.boxes.empty()) continue;
    begin();  // a picture without objects
    for (int i = 0; i < 6; ++i) csv << "";
    csv.end_line();
  }
  return csv.text();
}

/// https://labelstud.io/guide/predictions: shares in percent, predictions of the labels of a <RectangleLabels
/// name="label" toName="image"> on an <Image name="image" value="$image">.
std::string label_studio_text(const ExportedPictures& pictures, const Classes& classes) {
  Json tasks = Json::array();
  for (const ExportedPicture& picture : pictures) {
    Json result = Json::array();
    double best = 0;
    for (const DetectedBox& d : picture.boxes) {
      const double w = picture.width, h = picture.height;
      const Json value = {{"x", 100 * wide(d.box.x1) / w},
                          {"y", 100 * wide(d.box.y1) / h},
                          {"width", 100 * wide(d.box.x2 - d.box.x1) / w},
                          {"height", 100 * wide(d.box.y2 - d.box.y1) / h},
                          {"rotation", 0},
                          {"rectanglelabels", {classes[d.label]}}};
      result.push_back({{"id", "d" + std::to_string(result.size() + 1)},
                        {"type", "rectanglelabels"},
                        {"from_name", "label"},
                        {"to_name", "image"},
                        {"original_width", picture.width},
                        {"original_height", picture.height},
                        {"image_rotation", 0},
                        {"value", value},
                        {"score", wide(d.score)}});
      best = std::max(best, wide(d.score));
    }
    const Json prediction = {{"model_version", "diopter"}, {"score", best}, {"result", result}};
    tasks.push_back({{"data", {{"image", picture.name}}}, {"predictions", {prediction}}});
  }
  return json_text(tasks, 1) + "\n";
}

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, " ");
  return out.str();
}

/// https://docs.cvat.ai/docs/manual/advanced/xml_format, "CVAT for images 1.1".
std::string cvat_text(const ExportedPictures& pictures, const Classes& classes) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("annotations");
  root.append_child("version").text() = "1.1";
  pugi::xml_node labels = root.append_child("meta").append_child("task").append_child("labels");
  for (const std::string& name : classes) {
    pugi::xml_node label = labels.append_child("label");
    label.append_child("name").text() = printable(name).c_str();
    label.append_child("attributes");
  }
  int id = 0;
  for (const ExportedPicture& picture : pictures) {
    pugi::xml_node image = root.append_child("image");
    image.append_attribute("id") = id++;
    image.append_attribute("name") = printable(picture.name).c_str();
    image.append_attribute("width") = picture.width;
    image.append_attribute("height") = picture.height;
    for (const DetectedBox& d : picture.boxes) {
      pugi::xml_node box = image.append_child("box");
      box.append_attribute("label") = printable(classes[d.label]).c_str();
      box.append_attribute("occluded") = 0;
      box.append_attribute("source") = "auto";
      for (const auto& [name, edge] : {std::pair{"xtl", d.box.x1}, std::pair{"ytl", d.box.y1},
                                       std::pair{"xbr", d.box.x2}, std::pair{"ybr", d.box.y2}}) {
        box.append_attribute(name) = shortest(edge).c_str();
      }
      box.append_attribute("z_order") = 0;
    }
  }
  return text_of(document);
}

// ---- Formats of one file per picture

/// Class, centre and size as shares of the picture.
std::string yolo_text(const ExportedPicture& picture, const Classes&) {
  std::string text;
  for (const DetectedBox& d : picture.boxes) {
    const double w = picture.width, h = picture.height;
    text += std::to_string(d.label);
    for (const double share : {(wide(d.box.x1) + wide(d.box.x2)) / 2 / w, (wide(d.box.y1) + wide(d.box.y2)) / 2 / h,
                               wide(d.box.x2 - d.box.x1) / w, wide(d.box.y2 - d.box.y1) / h}) {
      text += formatted(" %.8f", share);
    }
    text += "\n";
  }
  return text;
}

/// Pixels are counted from 1, and a box ends with its last one.
std::string voc_text(const ExportedPicture& picture, const Classes& classes) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("annotation");
  root.append_child("filename").text() = printable(picture.name).c_str();
  pugi::xml_node size = root.append_child("size");
  size.append_child("width").text() = picture.width;
  size.append_child("height").text() = picture.height;
  size.append_child("depth").text() = 3;
  for (const DetectedBox& d : picture.boxes) {
    pugi::xml_node object = root.append_child("object");
    object.append_child("name").text() = printable(classes[d.label]).c_str();
    object.append_child("difficult").text() = 0;
    pugi::xml_node box = object.append_child("bndbox");
    for (const auto& [name, edge] : {std::pair{"xmin", wide(d.box.x1) + 1}, std::pair{"ymin", wide(d.box.y1) + 1},
                                     std::pair{"xmax", wide(d.box.x2)}, std::pair{"ymax", wide(d.box.y2)}}) {
      box.append_child(name).text() = shortest(edge).c_str();
    }
  }
  return text_of(document);
}

/// One file holds all pictures, or each has its own.
struct Format {
  const char* name;
  std::string (*of_all)(const ExportedPictures&, const Classes&);
  std::string (*of_picture)(const ExportedPicture&, const Classes&);
  const char* extension;         // of a picture's file
  const char* names_of_classes;  // file with them, beside the pictures'; nullptr: none
};

constexpr Format kFormats[] = {
    {"yolo", nullptr, yolo_text, ".txt", "classes.txt"},
    {"voc", nullptr, voc_text, ".xml", nullptr},
    {"labelstudio", label_studio_text, nullptr, nullptr, nullptr},
    {"cvat", cvat_text, nullptr, nullptr, nullptr},
    {"csv", csv_text, nullptr, nullptr, nullptr},
};

const Format& format_called(const std::string& name) {
  for (const Format& format : kFormats) {
    if (name == format.name) return format;
  }
  fail("--export ", name, ": there are ", join(kFormats, ", ", [](const Format& f) { return std::string(f.name); }));
}

}  // namespace

Export::Export(const std::string& request, const Dataset& pictures) {
  const std::size_t colon = request.find(':');
  format_ = request.substr(0, colon);
  const Format& format = format_called(format_);
  DIOPTER_CHECK(colon != std::string::npos && colon + 1 < request.size(), "--export ", request,
                ": needs a place, as in ", format_, ":PATH");
  path_ = request.substr(colon + 1);
  const auto refuse_existing = [](const std::string& file) {
    DIOPTER_CHECK(!fs::exists(file), file, ": is there already: labels are not replaced");
  };
  if (format.of_all) {
    refuse_existing(path_);
    return;
  }
  if (format.names_of_classes) refuse_existing(path_ + "/" + format.names_of_classes);
  std::set<std::string> names;
  for (const ImageRecord& record : pictures.images) {
    const std::string name = without_extension(record.file);
    DIOPTER_CHECK(names.insert(name).second, record.file, ": another picture is called ", name, ", too: --export ",
                  format_, " needs names of their own");
    refuse_existing(path_ + "/" + name + format.extension);
  }
}

void Export::write(const std::vector<ExportedPicture>& pictures, const std::vector<std::string>& classes) const {
  const Format& format = format_called(format_);
  if (format.of_all) return write_file_atomically(path_, format.of_all(pictures, classes));
  std::error_code error;
  fs::create_directories(path_, error);
  DIOPTER_CHECK(!error, path_, ": cannot be made: ", error.message());
  for (const ExportedPicture& picture : pictures) {
    write_file_atomically(path_ + "/" + without_extension(picture.name) + format.extension,
                          format.of_picture(picture, classes));
  }
  if (format.names_of_classes) write_file_atomically(path_ + "/" + format.names_of_classes, join(classes, "\n") + "\n");
}

}  // namespace diopter
