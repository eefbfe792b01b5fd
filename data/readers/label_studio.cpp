#include "data/readers/label_studio.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/pictures/image.h"
#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"

namespace diopter {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

/// The member, or null where there is none.
const Json& member(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

bool is_true(const Json& value) { return value.is_boolean() && value.get<bool>(); }

/// The picture's name in a task, without what comes before the path in addresses of local files; "" where there is
/// none.
std::string picture_of(const Json& task) {
  const Json& data = member(task, "data").is_object() ? member(task, "data") : task;
  std::string name = text_in(data, "image").value_or("");
  if (name.empty()) {
    for (const auto& [key, value] : data.items()) {
      if (!value.is_string()) continue;
      const std::string text = value.get<std::string>();
      if (is_picture(text.substr(0, text.rfind('?'))) || text.find("?d=") != std::string::npos) name = text;
    }
  }
  if (const std::size_t local = name.find("?d="); local != std::string::npos) return name.substr(local + 3);
  return name.substr(0, name.find('?'));
}

/// The name of an upload without the letters that the server put before it: "3fa9c1d2-a.jpg".
std::string without_upload_letters(const std::string& name) {
  const std::string last = name.substr(name.find_last_of('/') + 1);
  const std::size_t dash = last.find('-');
  const bool letters = dash != std::string::npos && dash >= 4 && dash <= 8 &&
                       std::all_of(last.begin(), last.begin() + static_cast<std::ptrdiff_t>(dash),
                                   [](unsigned char c) { return std::isxdigit(c) != 0; });
  return letters ? last.substr(dash + 1) : last;
}

std::string find_picture(const std::string& name, const std::string& place, PictureNames& pictures, ReadLog& findings) {
  const std::string found = pictures.find(name, place), shorter = without_upload_letters(name);
  if (file_exists(found) || name.ends_with("/" + shorter) || name == shorter) return found;
  const std::string of_shorter = pictures.find(shorter, place);
  if (!file_exists(of_shorter)) return found;
  findings.add(oddity::kPictureName, place + ": '" + name + "' is " + shorter);
  return of_shorter;
}

/// The results of a task: of its annotation, or, in JSON-MIN, the items of its lists. Null where it has no annotation.
Json results_of(const Json& task, const std::string& place, ReadLog& findings) {
  const char* kind = member(task, "annotations").is_array() ? "annotations" : "completions";
  if (!member(task, kind).is_array()) {
    if (member(task, "data").is_object()) return nullptr;
    Json results = Json::array();
    for (const auto& [key, value] : task.items()) {
      if (value.is_array()) results.insert(results.end(), value.begin(), value.end());
    }
    return results;
  }
  const Json* chosen = nullptr;
  int count = 0;
  for (const Json& annotation : member(task, kind)) {
    if (is_true(member(annotation, "was_cancelled")) || !member(annotation, "result").is_array()) continue;
    ++count;
    if (!chosen || (is_true(member(annotation, "ground_truth")) && !is_true(member(*chosen, "ground_truth")))) {
      chosen = &annotation;
    }
  }
  if (count > 1) findings.add(oddity::kSeveralLabellings, place);
  return chosen ? member(*chosen, "result") : Json();
}

/// The labels of a value: the texts of its list "rectanglelabels", "labels", ....
std::vector<std::string> labels_of(const Json& value) {
  std::vector<std::string> labels;
  if (!value.is_object()) return labels;
  for (const auto& [key, list] : value.items()) {
    if (!key.ends_with("labels") || !list.is_array()) continue;
    for (const Json& label : list) {
      if (label.is_string() && !label.get_ref<const std::string&>().empty()) labels.push_back(label.get<std::string>());
    }
  }
  return labels;
}

/// What one result is about: its geometry and labels, which JSON-MIN has in the result itself.
const Json& value_of(const Json& result) {
  return member(result, "value").is_object() ? member(result, "value") : result;
}

/// Box of the result in pixels of a picture with this size; nothing, with a finding, where it has none.
std::optional<Rect> box_of(const Json& value, const ImageRecord& record, const std::string& place, ReadLog& findings) {
  const double sx = record.width / 100.0, sy = record.height / 100.0;
  const std::optional<double> x = number_in(value, "x"), y = number_in(value, "y");
  const double degrees = number_in(value, "rotation").value_or(0);
  if (const Json& points = member(value, "points"); points.is_array()) {
    std::vector<double> corners;
    for (const Json& point : points) {
      if (!point.is_array() || point.size() != 2 || !point[0].is_number() || !point[1].is_number()) continue;
      corners.insert(corners.end(), {sx * point[0].get<double>(), sy * point[1].get<double>()});
    }
    const std::optional<Rect> rect = box_of_polygon(corners);
    findings.add(rect ? oddity::kPolygon : oddity::kNoNumber, place);
    return rect;
  }
  const std::optional<double> width = number_in(value, "width"), height = number_in(value, "height");
  if (x && y && width && height) {
    if (degrees != 0) findings.add(oddity::kTurned, place);
    return box_of_turned({sx * *x, sy * *y, sx * *width, sy * *height}, degrees, sx * *x, sy * *y);
  }
  const std::optional<double> rx = number_in(value, "radiusX"), ry = number_in(value, "radiusY");
  if (x && y && rx && ry) {
    findings.add(oddity::kRound, place);
    return box_of_ellipse(sx * *x, sy * *y, sx * *rx, sy * *ry, degrees);
  }
  findings.add(oddity::kNoLabel, place);
  return std::nullopt;
}

/// Size that the results state, or the picture's own; whether there is one.
bool find_size(const Json& results, ImageRecord& record) {
  for (const Json& result : results) {
    record.width = size_from(number_in(result, "original_width"));
    record.height = size_from(number_in(result, "original_height"));
    if (record.width > 0 && record.height > 0) return true;
  }
  try {
    read_image_size(record.file, record.width, record.height);
    return true;
  } catch (const Error&) {
    record.width = record.height = 0;
    return false;
  }
}

}  // namespace

bool recognises_label_studio(const std::string& annotations) {
  return file_exists(annotations) && is_json(annotations) &&
         begins_with(annotations, '[', {"\"annotations\"", "\"completions\"", "\"data\"", "labels\""});
}

Dataset read_label_studio(const std::string& file, const ReadOptions& options) {
  refuse_split(file, options);
  const Json tasks = read_json(file);
  DIOPTER_CHECK(tasks.is_array(), file, ": must hold a list of tasks");
  ReadLog findings(file, options.strict);
  PictureNames pictures(options.images.empty() ? fs::path(file).parent_path().string() : options.images, findings);
  ClassNumbers classes(options.categories);
  Dataset dataset;
  dataset.origin = "as Label Studio's JSON";
  std::int64_t annotation_id = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string place = "[" + std::to_string(i) + "]";
    const Json& task = tasks[i];
    DIOPTER_CHECK(task.is_object(), file, ": ", place, ": must be an object, a task");
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.name = picture_of(task);
    DIOPTER_CHECK(!record.name.empty(), file, ": ", place, ": no text in \"data\" is the name of a picture");
    const Json results = results_of(task, place, findings);
    if (!results.is_array()) {
      findings.add(oddity::kUnlabelled, place + ", '" + record.name + "'");
      continue;
    }
    record.file = options.find_pictures ? find_picture(record.name, place, pictures, findings) : record.name;
    std::set<std::string> labelled;  // ids of regions that have a label; each may have results without one as well
    for (const Json& result : results) {
      if (!labels_of(value_of(result)).empty()) labelled.insert(text_in(result, "id").value_or(""));
    }
    const bool sized = results.empty() || find_size(results, record);
    for (std::size_t r = 0; r < results.size(); ++r) {
      const Json& value = value_of(results[r]);
      const std::string of_result = place + ", result " + std::to_string(r);
      const std::vector<std::string> labels = labels_of(value);
      if (labels.empty()) {
        const std::string id = text_in(results[r], "id").value_or("");
        if (id.empty() || !labelled.contains(id)) findings.add(oddity::kNoLabel, of_result);
        continue;
      }
      if (!sized) {
        findings.add(oddity::kNoSize, of_result);
        continue;
      }
      const std::optional<Rect> rect = box_of(value, record, of_result, findings);
      if (!rect || !is_usable(*rect, record, of_result, findings)) continue;
      for (const std::string& label : labels) {
        record.annotations.push_back({.id = ++annotation_id,
                                      .category = classes.number(label, file + ": " + of_result),
                                      .rect = *rect,
                                      .area = rect->w * rect->h});
      }
    }
    dataset.images.push_back(std::move(record));
  }
  DIOPTER_CHECK(!dataset.images.empty(), file, ": no labelled pictures");
  classes.finish(dataset);
  findings.report(dataset);
  return dataset;
}

}  // namespace diopter
