#include "data/readers/yolo.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "data/pictures/image.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;

bool is_names(const std::string& file) { return extension_of(file) == ".names"; }
bool is_yaml(const std::string& file) { return extension_of(file) == ".yaml" || extension_of(file) == ".yml"; }

/// Contents of data.yaml; empty where it does not say.
struct DataYaml {
  std::string path, train;
  std::vector<std::string> names;
};

std::string unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

/// Position of `wanted` outside quotes, from `begin` on.
std::size_t find_unquoted(std::string_view text, char wanted, std::size_t begin = 0) {
  char quote = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (quote == 0 && text[i] == wanted) return i;
    if (quote != 0 ? text[i] == quote : (text[i] == '\'' || text[i] == '"')) quote = quote ? 0 : text[i];
  }
  return std::string_view::npos;
}

/// `text` is a name, or `number: name`; the number must be the next one.
void add_name(std::vector<std::string>& names, std::string_view text, bool numbered, const std::string& place) {
  if (numbered) {
    const std::size_t colon = find_unquoted(text, ':');
    DIOPTER_CHECK(colon != std::string_view::npos && unquoted(text.substr(0, colon)) == std::to_string(names.size()),
                  place, ": '", trim(text), "' should give the name of class ", names.size());
    text = text.substr(colon + 1);
  }
  names.push_back(unquoted(text));
  check_class_name(names.back(), place);
}

/// The names of `names: [a, b]` or `names: {0: a, 1: b}`.
std::vector<std::string> parse_inline_names(std::string_view text, const std::string& place) {
  const bool numbered = text.front() == '{';
  DIOPTER_CHECK((numbered && text.back() == '}') || (text.front() == '[' && text.back() == ']'), place,
                ": the list of names is neither [...] nor {...} on one line, nor one name a line");
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> names;
  for (std::size_t begin = 0; !trim(text.substr(begin)).empty();) {
    const std::size_t end = std::min(find_unquoted(text, ',', begin), text.size());
    add_name(names, text.substr(begin, end - begin), numbered, place);
    begin = std::min(end + 1, text.size());
  }
  return names;
}

/// The part of YAML that data.yaml files are written in: `key: value` and lists of names.
DataYaml read_data_yaml(const fs::path& file) {
  DataYaml yaml;
  bool in_names = false;
  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string place = file.string() + ": line " + std::to_string(i + 1);
    const std::string_view line = std::string_view(lines[i]).substr(0, find_unquoted(lines[i], '#'));
    const std::string_view text = trim(line);
    if (text.empty()) continue;
    const bool list_item = text.front() == '-' && text != "---";
    if (in_names && (list_item || line.front() == ' ' || line.front() == '\t')) {
      add_name(yaml.names, list_item ? text.substr(1) : text, !list_item, place);
      continue;
    }
    in_names = false;
    const std::size_t colon = find_unquoted(text, ':');
    if (colon == std::string_view::npos) continue;
    const std::string key = unquoted(text.substr(0, colon));
    const std::string_view value = trim(text.substr(colon + 1));
    if (key == "path") yaml.path = unquoted(value);
    if (key == "train") yaml.train = unquoted(value);
    if (key == "names") {
      in_names = value.empty();
      if (!in_names) yaml.names = parse_inline_names(value, place);
    }
  }
  return yaml;
}

std::vector<std::string> read_name_lines(const fs::path& file) {
  std::vector<std::string> names;
  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    names.emplace_back(trim(lines[i]));
    check_class_name(names.back(), file.string() + ": line " + std::to_string(i + 1));
  }
  return names;
}

/// Class names from the first file of the usual names in `folder` or up to two folders above; empty when there is none.
std::vector<std::string> find_names(const fs::path& folder) {
  constexpr int kFolders = 3;
  fs::path place = fs::absolute(folder / ".").lexically_normal().parent_path();
  for (int i = 0; i < kFolders; ++i, place = place.parent_path()) {
    for (const char* name : {"data.yaml", "data.yml"}) {
      if (!file_exists(place / name)) continue;
      if (DataYaml yaml = read_data_yaml(place / name); !yaml.names.empty()) return yaml.names;
    }
    for (const char* name : {"classes.txt", "obj.names"}) {
      if (file_exists(place / name)) return read_name_lines(place / name);
    }
    const std::vector<std::string> others = list_files(place, is_names);
    if (!others.empty()) return read_name_lines(place / others.front());
  }
  return {};
}

/// The path with its last component `from` replaced by `to`; empty when it has none.
fs::path with_component_replaced(const fs::path& path, const std::string& from, const std::string& to) {
  std::vector<fs::path> parts(path.begin(), path.end());
  const auto found = std::find(parts.rbegin(), parts.rend(), fs::path(from));
  if (found == parts.rend()) return {};
  *found = to;
  fs::path result;
  for (const fs::path& part : parts) result /= part;
  return result;
}

/// Where the labels and their pictures lie, and what the classes are called.
struct Layout {
  fs::path labels, pictures;
  std::vector<std::string> names;
};

/// The folder of pictures that data.yaml calls `train`.
fs::path training_folder(const DataYaml& yaml, const fs::path& file) {
  DIOPTER_CHECK(!yaml.train.empty(), file.string(), ": no key 'train'");
  const fs::path root = file.parent_path() / yaml.path;
  fs::path folder = root / yaml.train;
  // Roboflow writes ../train/images and means ./train/images.
  constexpr std::string_view kUp = "../";
  if (!folder_exists(folder) && yaml.train.compare(0, kUp.size(), kUp) == 0) {
    folder = root / yaml.train.substr(kUp.size());
  }
  DIOPTER_CHECK(folder_exists(folder), file.string(), ": 'train' is '", yaml.train, "', which is not a folder");
  return folder;
}

Layout find_layout(const std::string& annotations, const std::string& image_folder) {
  Layout layout;
  if (is_yaml(annotations)) {
    const DataYaml yaml = read_data_yaml(annotations);
    layout.names = yaml.names;
    layout.pictures = training_folder(yaml, annotations);
    layout.labels = with_component_replaced(layout.pictures, "images", "labels");
    if (!folder_exists(layout.labels)) layout.labels = layout.pictures;
  } else {
    DIOPTER_CHECK(folder_exists(annotations), annotations, ": no such folder");
    layout.labels = annotations;
    if (folder_exists(layout.labels / "labels")) layout.labels /= "labels";
    layout.pictures = with_component_replaced(fs::absolute(layout.labels), "labels", "images");
    if (!folder_exists(layout.pictures)) layout.pictures = layout.labels;
  }
  if (!image_folder.empty()) layout.pictures = image_folder;
  if (layout.names.empty()) layout.names = find_names(layout.labels);
  return layout;
}

/// `class cx cy w h` of one line.
struct Label {
  int category;
  std::array<double, 4> box;
};

Label parse_label(std::string_view line, const std::string& place) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = trim(line); !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    fields.push_back(rest.substr(0, end));
    rest = trim(rest.substr(end));
  }
  constexpr std::size_t kColumns = 5;
  DIOPTER_CHECK(fields.size() == kColumns, place, ": ", fields.size(), fields.size() == 1 ? " column" : " columns",
                " instead of the five of class cx cy w h",
                fields.size() > kColumns ? " (polygons are not supported)" : "");

  Label label{};
  const std::string_view number = fields[0];
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), label.category);
  constexpr std::int64_t kMaxClass = limits::kYoloClass.value;
  DIOPTER_CHECK(error == std::errc() && end == number.data() + number.size() && label.category >= 0 &&
                    label.category <= kMaxClass,
                place, ": the class is '", number, "', not a number from 0 to ", kMaxClass);
  for (int i = 0; i < 4; ++i) {
    constexpr const char* kNames[] = {"cx", "cy", "w", "h"};
    constexpr double kSlack = 0.01;
    const std::optional<double> value = parse_number(fields[1 + i]);
    DIOPTER_CHECK(value && std::isfinite(*value), place, ": ", kNames[i], " is '", fields[1 + i],
                  "', not a finite number");
    DIOPTER_CHECK(*value >= (i < 2 ? -kSlack : 0.0) && *value <= 1 + kSlack, place, ": ", kNames[i], " is ", *value,
                  ", outside [0, 1]: values are relative to the picture's size");
    label.box[i] = std::clamp(*value, 0.0, 1.0);
  }
  return label;
}

/// Reads the boxes of one picture. Classes keep the numbers of the file when they have no names.
void read_labels(const fs::path& file, const std::vector<std::string>& names, ClassNumbers& classes,
                 ImageRecord& record, std::int64_t& annotation_id, std::vector<std::string>& warnings) {
  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    const std::string place = file.string() + ": line " + std::to_string(i + 1);
    const Label label = parse_label(lines[i], place);
    DIOPTER_CHECK(names.empty() || label.category < static_cast<int>(names.size()), place, ": class ", label.category,
                  ", but there are only ", names.size(), ": ", quoted_list(names));
    const int category = names.empty() ? label.category : classes.number(names[label.category], place);
    const auto [cx, cy, w, h] = label.box;
    const Rect rect{(cx - w / 2) * record.width, (cy - h / 2) * record.height, w * record.width, h * record.height};
    if (rect.w <= 0 || rect.h <= 0) {
      warnings.push_back(place + ": box without area dropped");
      continue;
    }
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

void warn_of_labels_without_picture(const Layout& layout, const std::vector<std::string>& pictures,
                                    std::vector<std::string>& warnings) {
  std::vector<std::string> stems;
  for (const std::string& picture : pictures) stems.push_back(fs::path(picture).stem().string());
  std::sort(stems.begin(), stems.end());
  std::vector<std::string> alone;
  for (const std::string& label : list_files(layout.labels, is_text)) {
    if (label == "classes.txt" || std::binary_search(stems.begin(), stems.end(), fs::path(label).stem().string())) {
      continue;
    }
    alone.push_back(label);
  }
  if (alone.empty()) return;
  warnings.push_back(layout.labels.string() + ": no picture in " + layout.pictures.string() + " for " +
                     std::to_string(alone.size()) + " of the label files: " + quoted_list(alone));
}

}  // namespace

bool recognises_yolo(const std::string& annotations) {
  if (!folder_exists(annotations)) return is_yaml(annotations);
  return !list_files(annotations, is_text).empty() || folder_exists(fs::path(annotations) / "labels");
}

Dataset read_yolo(const std::string& annotations, const std::string& image_folder,
                  const std::vector<std::string>& categories) {
  Layout layout = find_layout(annotations, image_folder);
  if (layout.names.empty()) layout.names = categories;
  const std::vector<std::string> pictures = list_files(layout.pictures, is_picture);
  DIOPTER_CHECK(!pictures.empty(), layout.pictures.string(), ": no pictures");

  Dataset dataset;
  ClassNumbers classes(categories.empty() ? layout.names : categories);
  std::int64_t annotation_id = 0;
  for (const std::string& picture : pictures) {
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.file = (layout.pictures / picture).string();
    record.name = picture;
    const fs::path labels = layout.labels / fs::path(picture).replace_extension(".txt");
    if (read_size(record, dataset.warnings) && file_exists(labels)) {
      read_labels(labels, layout.names, classes, record, annotation_id, dataset.warnings);
    }
    dataset.images.push_back(std::move(record));
  }
  warn_of_labels_without_picture(layout, pictures, dataset.warnings);

  if (layout.names.empty()) classes = ClassNumbers(numbers_as_names(dataset));
  classes.finish(dataset);
  return dataset;
}

}  // namespace diopter
