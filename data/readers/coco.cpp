#include "data/readers/coco.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <unordered_map>

#include "data/readers/id_index.h"
#include "data/readers/json_records.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// An annotation before its ids are looked up: a file may list its images and categories after it.
struct PendingAnnotation {
  Annotation annotation;
  std::int64_t image_id, category_id;
  bool has_id;
};

/// Counts occurrences of one oddity, to warn once: "FILE: what: 3 (first: annotations[7])".
class Oddity {
 public:
  void found(const std::string& place) {
    if (count_++ == 0) first_ = place;
  }
  void warn(std::vector<std::string>& warnings, const std::string& file, const std::string& what) const {
    if (count_ > 0) warnings.push_back(file + ": " + what + ": " + std::to_string(count_) + " (first: " + first_ + ")");
  }

 private:
  std::int64_t count_ = 0;
  std::string first_;
};

std::string annotation_place(std::size_t position) { return "annotations[" + std::to_string(position) + "]"; }

/// Width or height of an image; 0 when the file does not say.
int image_size(const JsonRecord& record, std::string_view field) {
  if (!record.has(field)) return 0;
  const double size = record.number(field);
  if (!(size >= 0 && size <= std::numeric_limits<int>::max() && size == std::floor(size))) {
    record.reject(field, "must be a whole number of pixels");
  }
  return static_cast<int>(size);
}

ImageRecord read_image(const JsonRecord& record, const std::filesystem::path& folder) {
  const std::string& name = record.text("file_name");
  if (name.empty()) record.reject("file_name", "is empty");
  return {.id = record.integer("id"),
          .file = (folder / name).string(),
          .name = name,
          .width = image_size(record, "width"),
          .height = image_size(record, "height"),
          .annotations = {}};
}

PendingAnnotation read_annotation(const JsonRecord& record) {
  const bool has_id = record.has("id");
  const std::int64_t id = has_id ? record.integer("id") : static_cast<std::int64_t>(record.position()) + 1;
  const Rect rect = record.rect("bbox");
  const double area = record.has("area") ? record.number("area") : rect.w * rect.h;
  const bool crowd = record.has("iscrowd") && record.flag("iscrowd");
  return {.annotation = {.id = id, .category = -1, .rect = rect, .area = area, .crowd = crowd},
          .image_id = record.integer("image_id"),
          .category_id = record.integer("category_id"),
          .has_id = has_id};
}

/// Hands each annotation to its image and warns of what the metrics treat in a particular way.
void place_annotations(const std::string& file, const std::vector<PendingAnnotation>& pending, Dataset& dataset) {
  const auto images = index_by_id(dataset.images);
  const auto categories = index_by_id(dataset.categories);
  IdSet ids;
  ids.reserve(pending.size());
  Oddity unnamed, repeated, negative;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    Annotation annotation = pending[i].annotation;
    const int image = find_id(images, pending[i].image_id);
    annotation.category = find_id(categories, pending[i].category_id);
    DIOPTER_CHECK(image >= 0, file, ": ", annotation_place(i), ".image_id: no image has the id ", pending[i].image_id);
    DIOPTER_CHECK(annotation.category >= 0, file, ": ", annotation_place(i), ".category_id: no category has the id ",
                  pending[i].category_id);
    if (!pending[i].has_id) unnamed.found(annotation_place(i));
    if (!ids.insert(annotation.id).second) repeated.found(annotation_place(i));
    if (annotation.area < 0) negative.found(annotation_place(i));
    dataset.images[image].annotations.push_back(annotation);
  }
  unnamed.warn(dataset.warnings, file, "annotations without an id, numbered by their position");
  repeated.warn(dataset.warnings, file, "annotations kept although an earlier one has their id");
  negative.warn(dataset.warnings, file, "annotations that the metrics ignore because their area is negative");
}

/// The text of a COCO file: lists of one record a line.
class CocoText {
 public:
  explicit CocoText(const std::string& file, std::size_t size = 0) : file_(file) { text_.reserve(size); }

  void add(std::string_view raw) { text_ += raw; }
  void begin_record() { text_ += text_.back() == '[' ? "\n{" : ",\n{"; }
  void end_record() { text_ += '}'; }

  void field(std::string_view key, std::int64_t value) { begin_field(key) += std::to_string(value); }
  void field(std::string_view key, double value) { append(begin_field(key), value); }
  void field(std::string_view key, const std::string& value) { begin_field(key) += json_text(nlohmann::json(value)); }
  void field(std::string_view key, const Rect& rect) {
    std::string& out = begin_field(key);
    const char* separator = "[";
    for (const double value : {rect.x, rect.y, rect.w, rect.h}) {
      append(out += separator, value);
      separator = ", ";
    }
    out += ']';
  }

  void write() const { write_file_atomically(file_, text_); }

 private:
  std::string& begin_field(std::string_view key) {
    if (text_.back() != '{') text_ += ", ";
    text_ += '"';
    text_ += key;
    return text_ += "\": ";
  }

  /// The shortest digits that read back as the same number.
  void append(std::string& out, double value) const {
    DIOPTER_CHECK(std::isfinite(value), file_, ": cannot write ", value, ": JSON has no NaN and no infinity");
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }

  const std::string& file_;
  std::string text_;
};

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

bool recognises_coco(const std::string& annotations) {
  return file_exists(annotations) && extension_of(annotations) == ".json";
}

Dataset read_coco(const std::string& file, const std::string& image_folder,
                  const std::vector<std::string>& categories) {
  Dataset dataset;
  std::vector<PendingAnnotation> pending;
  IdSet image_ids, category_ids;
  const std::filesystem::path folder = image_folder;
  const auto check_new = [](const JsonRecord& record, std::int64_t id, IdSet& seen) {
    if (!seen.insert(id).second) record.reject("id", std::to_string(id) + " appears twice");
  };
  const auto take_image = [&](const JsonRecord& record) {
    dataset.images.push_back(read_image(record, folder));
    check_new(record, dataset.images.back().id, image_ids);
  };
  const auto take_annotation = [&](const JsonRecord& record) { pending.push_back(read_annotation(record)); };
  const auto take_category = [&](const JsonRecord& record) {
    dataset.categories.push_back({.id = record.integer("id"), .name = record.text("name")});
    check_new(record, dataset.categories.back().id, category_ids);
  };
  read_json_lists(file, {{"images", {"id", "file_name", "width", "height"}, take_image},
                         {"annotations", {"id", "image_id", "category_id", "bbox", "area", "iscrowd"}, take_annotation},
                         {"categories", {"id", "name"}, take_category}});
  std::sort(dataset.categories.begin(), dataset.categories.end(),
            [](const Category& a, const Category& b) { return a.id < b.id; });
  place_annotations(file, pending, dataset);
  if (!categories.empty()) arrange_categories(file, dataset, categories);
  return dataset;
}

std::vector<Detection> read_coco_results(const std::string& file, const Dataset& truth,
                                         std::vector<std::string>& warnings) {
  const auto images = index_by_id(truth.images);
  const auto categories = index_by_id(truth.categories);
  std::vector<Detection> detections;
  Oddity unknown;
  const auto take = [&](const JsonRecord& record) {
    const Detection detection = {.image_id = record.integer("image_id"),
                                 .category_id = record.integer("category_id"),
                                 .rect = record.rect("bbox"),
                                 .score = record.number("score")};
    if (find_id(images, detection.image_id) < 0) {
      record.reject("image_id", "no image of the ground truth has the id " + std::to_string(detection.image_id));
    }
    if (find_id(categories, detection.category_id) < 0) {
      unknown.found(record.place() + ", category_id " + std::to_string(detection.category_id));
    } else {
      detections.push_back(detection);
    }
  };
  read_json_lists(file, {{"", {"image_id", "category_id", "bbox", "score"}, take}});
  unknown.warn(warnings, file, "dropped detections of categories that the ground truth does not have");
  return detections;
}

void write_coco(const std::string& file, const Dataset& dataset) {
  CocoText text(file);
  text.add("{\"images\": [");
  for (const ImageRecord& image : dataset.images) {
    text.begin_record();
    text.field("id", image.id);
    text.field("file_name", image.name);
    if (image.width > 0 && image.height > 0) {
      text.field("width", std::int64_t{image.width});
      text.field("height", std::int64_t{image.height});
    }
    text.end_record();
  }
  text.add("\n],\n\"annotations\": [");
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& annotation : image.annotations) {
      text.begin_record();
      text.field("id", annotation.id);
      text.field("image_id", image.id);
      text.field("category_id", dataset.categories.at(annotation.category).id);
      text.field("bbox", annotation.rect);
      text.field("area", annotation.area);
      text.field("iscrowd", std::int64_t{annotation.crowd});
      text.end_record();
    }
  }
  text.add("\n],\n\"categories\": [");
  for (const Category& category : dataset.categories) {
    text.begin_record();
    text.field("id", category.id);
    text.field("name", category.name);
    text.end_record();
  }
  text.add("\n]}\n");
  text.write();
}

void write_coco_results(const std::string& file, const std::vector<Detection>& detections) {
  constexpr std::size_t kTypicalRecord = 128;  // bytes
  CocoText text(file, detections.size() * kTypicalRecord);
  text.add("[");
  for (const Detection& detection : detections) {
    text.begin_record();
    text.field("image_id", detection.image_id);
    text.field("category_id", detection.category_id);
    text.field("bbox", detection.rect);
    text.field("score", detection.score);
    text.end_record();
  }
  text.add("\n]\n");
  text.write();
}

}  // namespace diopter
