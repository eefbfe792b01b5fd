#include "data/readers/coco.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "data/readers/id_index.h"
#include "data/readers/json/json_records.h"
#include "data/readers/picture_names.h"
#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// An id as it stands in a file: a number, or the position of a text among those that the file has.
struct StatedId {
  std::int64_t number = 0;
  bool text = false;
};

/// Ids of one kind (images, categories, annotations), and references to them: numbers, whole numbers with a point,
/// numbers in quotes, or texts.
class Ids {
 public:
  /// Nothing where the field has no id.
  std::optional<StatedId> read(const JsonRecord& record, std::string_view field) {
    const JsonValue& value = record.value(field);
    constexpr double kWhole = 9007199254740992;  // 2^53
    switch (value.kind) {
      case JsonValue::Kind::integer: return of_number(value.integer);
      case JsonValue::Kind::real:
        if (value.real != std::floor(value.real) || std::fabs(value.real) > kWhole) return std::nullopt;
        return of_number(static_cast<std::int64_t>(value.real));
      case JsonValue::Kind::text: return of_text(value.text);
      default: return std::nullopt;
    }
  }

  StatedId of_number(std::int64_t number) {
    highest_ = std::max(highest_, number);
    return {number, false};
  }

  /// As read(); throws Error where there is none, or where a record before has the same.
  StatedId read_new(const JsonRecord& record, std::string_view field) {
    const std::optional<StatedId> stated = read(record, field);
    const StatedId id = stated ? *stated : of_number(record.integer(field));
    if (!(id.text ? seen_texts_ : seen_numbers_).insert(id.number)) {
      record.reject(field, (id.text ? record.text(field) : std::to_string(id.number)) + " appears twice");
    }
    return id;
  }

  /// Gives texts numbers above all others, when everything is read. Throws Error where there is no room for them.
  void number_texts(const std::string& file) {
    const auto texts = static_cast<std::int64_t>(texts_.size());
    if (texts == 0) return;
    DIOPTER_CHECK(highest_ < std::numeric_limits<std::int64_t>::max() - texts, file, ": ids that are texts, such as '",
                  texts_.begin()->first, "', are numbered, and above the id ", highest_, " there are no numbers left");
    for (auto& [text, number] : texts_) number += highest_ + 1;
  }

  std::int64_t number(StatedId id) const { return id.text ? highest_ + 1 + id.number : id.number; }

  /// Texts and the numbers that they were given.
  const TextIds& texts() const { return texts_; }

 private:
  StatedId of_text(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && std::to_string(number) == text) {
      return of_number(number);
    }
    return {texts_.emplace(text, static_cast<std::int64_t>(texts_.size())).first->second, true};
  }

  std::int64_t highest_ = 0;
  TextIds texts_;
  IdSet seen_numbers_, seen_texts_;
};

/// An annotation before its ids are looked up: a file may list its images and categories after it.
struct PendingAnnotation {
  Annotation annotation;  // without its id and category
  StatedId id, image_id, category_id;
  std::size_t position;
  bool has_id;
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

/// Run lengths of COCO's text form: six bits per character from '0' on, the sixth says that more follow; from the third
/// run on the difference to the run two before (maskApi.c of cocoapi describes the format).
std::vector<double> decoded_runs(const std::string& text) {
  std::vector<double> runs;
  for (std::size_t at = 0; at < text.size();) {
    std::int64_t value = 0;
    int shift = 0;
    bool more = true;
    while (more && at < text.size() && shift < 60) {
      const int bits = text[at++] - '0';
      value |= std::int64_t{bits & 0x1F} << shift;
      more = (bits & 0x20) != 0;
      shift += 5;
      if (!more && (bits & 0x10)) value -= std::int64_t{1} << shift;
    }
    runs.push_back(static_cast<double>(value) + (runs.size() > 2 ? runs[runs.size() - 2] : 0));
  }
  return runs;
}

/// The box around the set pixels of a mask [height, width] of runs, columns first, that begin with unset ones.
std::optional<Rect> box_of_mask(const JsonValue& mask) {
  if (mask.size.size() != 2 || !(mask.size[0] >= 1)) return std::nullopt;
  const double height = mask.size[0];
  double x1 = mask.size[1], y1 = height, x2 = 0, y2 = 0, at = 0;
  bool set = false;
  for (const double run : mask.counts.empty() ? decoded_runs(mask.coded_counts) : mask.counts) {
    if (!(run >= 0)) return std::nullopt;
    if (set && run > 0) {
      const double last = at + run - 1, first_column = std::floor(at / height), last_column = std::floor(last / height);
      x1 = std::min(x1, first_column);
      x2 = std::max(x2, last_column + 1);
      y1 = std::min(y1, first_column < last_column ? 0 : at - first_column * height);
      y2 = std::max(y2, first_column < last_column ? height : last - last_column * height + 1);
    }
    at += run;
    set = !set;
  }
  if (x2 <= x1 || y2 <= y1) return std::nullopt;
  return Rect{x1, y1, x2 - x1, y2 - y1};
}

/// The annotation's box, or that of its polygon or mask; nothing, with a finding, where there is none that can be used.
std::optional<Rect> box_of(const JsonRecord& record, ReadLog& findings) {
  const JsonValue& stated = record.value("bbox");
  if (!record.has("bbox") || (stated.kind == JsonValue::Kind::list && stated.only_numbers && stated.numbers.empty())) {
    const JsonValue& shape = record.value("segmentation");
    const bool polygon = shape.kind == JsonValue::Kind::list;
    const std::optional<Rect> rect = polygon                                 ? box_of_polygon(shape.numbers)
                                     : shape.kind == JsonValue::Kind::object ? box_of_mask(shape)
                                                                             : std::nullopt;
    findings.add(!rect ? oddity::kNoBox : polygon ? oddity::kPolygon : oddity::kMask, record.place());
    return rect;
  }
  if (stated.kind != JsonValue::Kind::list || !stated.only_numbers || stated.numbers.size() != 4) {
    findings.add(oddity::kNoNumber, record.place());
    return std::nullopt;
  }
  const Rect rect = record.rect("bbox");
  if (rect.w < 0 || rect.h < 0) {
    findings.add(oddity::kEmptyBox, record.place());
    return std::nullopt;
  }
  return rect;
}

/// Records that a file has at most, each at least as long as the text; memory that is reserved for more than come is
/// never touched. 0 where the size is not known.
std::size_t most_records(const std::string& file, std::string_view shortest) {
  std::error_code unknown;
  const std::uintmax_t bytes = std::filesystem::file_size(file, unknown);
  return unknown ? 0 : static_cast<std::size_t>(bytes / shortest.size());
}

/// What is read of a file before its parts are put together.
struct CocoFile {
  Dataset dataset;                                // images and categories without their ids
  std::vector<StatedId> image_ids, category_ids;  // of them, in their order
  std::vector<PendingAnnotation> pending;
  Ids images, categories, annotations;
};

/// Gives images or categories their ids.
void give_ids(const Ids& ids, const std::vector<StatedId>& stated, const char* list, auto& records, ReadLog& findings) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (stated[i].text) findings.add(oddity::kTextId, list + ("[" + std::to_string(i) + "]"));
    records[i].id = ids.number(stated[i]);
  }
}

/// Numbers ids that are texts.
void number_text_ids(const std::string& file, CocoFile& read, ReadLog& findings) {
  for (Ids* ids : {&read.images, &read.categories, &read.annotations}) ids->number_texts(file);
  give_ids(read.images, read.image_ids, "images", read.dataset.images, findings);
  give_ids(read.categories, read.category_ids, "categories", read.dataset.categories, findings);
  read.dataset.image_text_ids = read.images.texts();
  read.dataset.category_text_ids = read.categories.texts();
}

/// Hands each annotation to its image.
void place_annotations(CocoFile& read, ReadLog& findings) {
  Dataset& dataset = read.dataset;
  const auto images = index_by_id(dataset.images);
  const auto categories = index_by_id(dataset.categories);
  // Ids that ascend, as most files have them, need no set to be known as new.
  const bool ascending = std::is_sorted(read.pending.begin(), read.pending.end(), [&](const auto& a, const auto& b) {
    return read.annotations.number(a.id) <= read.annotations.number(b.id);
  });
  IdSet ids;
  if (!ascending) ids.reserve(read.pending.size());
  std::vector<std::size_t> count(dataset.images.size());
  for (const PendingAnnotation& p : read.pending) {
    const int image = find_id(images, read.images.number(p.image_id));
    if (image >= 0) ++count[image];
  }
  for (std::size_t i = 0; i < count.size(); ++i) dataset.images[i].annotations.reserve(count[i]);
  for (const PendingAnnotation& p : read.pending) {
    Annotation annotation = p.annotation;
    annotation.id = read.annotations.number(p.id);
    const std::int64_t image_id = read.images.number(p.image_id), category_id = read.categories.number(p.category_id);
    const int image = find_id(images, image_id);
    annotation.category = find_id(categories, category_id);
    if (image < 0 || annotation.category < 0) {
      findings.add(image < 0 ? oddity::kUnknownImage : oddity::kUnknownCategory,
                   annotation_place(p.position) + ", id " + std::to_string(image < 0 ? image_id : category_id));
      continue;
    }
    if (!p.has_id) findings.add(oddity::kNoId, annotation_place(p.position));
    if (!ascending && !ids.insert(annotation.id)) findings.add(oddity::kRepeatedId, annotation_place(p.position));
    if (annotation.area < 0) findings.add(oddity::kNegativeArea, annotation_place(p.position));
    dataset.images[image].annotations.push_back(annotation);
  }
}

/// Boxes that learning leaves aside: pycocotools counts them as objects, so they stay.
void find_boxes_that_are_not_learned(const Dataset& dataset, ReadLog& findings) {
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& a : image.annotations) {
      const bool flat = a.rect.w == 0 || a.rect.h == 0;
      if (flat || is_outside(a.rect, image)) {
        findings.add(flat ? oddity::kFlatBox : oddity::kOutsideKept, "annotation " + std::to_string(a.id));
      }
    }
  }
}

void find_repetitions(const Dataset& dataset, ReadLog& findings) {
  std::unordered_set<std::string_view> files, names;
  for (const ImageRecord& image : dataset.images) {
    if (!files.insert(image.file).second) findings.add(oddity::kSamePicture, image.name);
  }
  for (const Category& category : dataset.categories) {
    if (!names.insert(category.name).second) findings.add(oddity::kSameClassName, "'" + category.name + "'");
  }
}

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
    if (category.id < std::numeric_limits<std::int64_t>::max()) next_id = std::max(next_id, category.id + 1);
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

/// The id of a result: a number, a number in quotes, or a text that the ground truth has.
std::int64_t result_id(const JsonRecord& record, std::string_view field, const TextIds& texts) {
  const JsonValue& value = record.value(field);
  if (value.kind == JsonValue::Kind::integer) return value.integer;
  if (value.kind == JsonValue::Kind::text) {
    if (const auto found = texts.find(value.text); found != texts.end()) return found->second;
  }
  const std::optional<StatedId> id = Ids().read(record, field);
  return id && !id->text ? id->number : record.integer(field);
}

/// The id of the image that the record's "file_name" means. Throws Error where there is none, or more than one.
std::int64_t id_of_file_name(const JsonRecord& record, const Dataset& truth, const ImagesByName& images) {
  const std::string& name = record.text("file_name");
  const std::vector<std::size_t> fitting = images.find(name);
  if (fitting.empty()) record.reject("file_name", "no image of the ground truth is called " + name);
  if (fitting.size() > 1)
    record.reject("file_name", std::to_string(fitting.size()) + " images of the ground truth could be " + name);
  return truth.images[fitting[0]].id;
}

}  // namespace

bool recognises_coco(const std::string& annotations) {
  return file_exists(annotations) && extension_of(annotations) == ".json";
}

Dataset read_coco(const std::string& file, const ReadOptions& options) {
  refuse_split(file, options);
  ReadLog findings(file, options.strict);
  PictureNames pictures(options.images, findings);
  CocoFile read;
  Dataset& dataset = read.dataset;
  read.pending.reserve(
      most_records(file, R"({"id":1,"image_id":1,"category_id":1,"bbox":[1,2,3,4],"area":1,"iscrowd":0},)"));
  bool has_annotations = false;
  const auto take_image = [&](const JsonRecord& record) {
    const std::string& name = record.text("file_name");
    if (name.empty()) record.reject("file_name", "is empty");
    const std::filesystem::path stated = std::filesystem::path(options.images) / name;
    dataset.images.push_back({.id = 0,
                              .file = options.find_pictures ? pictures.find(name, record.place()) : stated.string(),
                              .name = name,
                              .width = image_size(record, "width"),
                              .height = image_size(record, "height"),
                              .annotations = {}});
    read.image_ids.push_back(read.images.read_new(record, "id"));
  };
  const auto take_annotation = [&](const JsonRecord& record) {
    has_annotations = true;
    const std::optional<StatedId> image = read.images.read(record, "image_id");
    const std::optional<StatedId> category = read.categories.read(record, "category_id");
    if (!image || !category) {
      findings.add(image ? oddity::kUnknownCategory : oddity::kUnknownImage, record.place());
      return;
    }
    const std::optional<Rect> rect = box_of(record, findings);
    if (!rect) return;
    const std::optional<StatedId> id = read.annotations.read(record, "id");
    const double area = record.has("area") ? record.number("area") : rect->w * rect->h;
    const bool crowd = record.has("iscrowd") && record.flag("iscrowd");
    const auto position = static_cast<std::int64_t>(record.position());
    read.pending.push_back({.annotation = {.id = 0, .category = -1, .rect = *rect, .area = area, .crowd = crowd},
                            .id = id ? *id : read.annotations.of_number(position + 1),
                            .image_id = *image,
                            .category_id = *category,
                            .position = record.position(),
                            .has_id = id.has_value()});
  };
  const auto take_category = [&](const JsonRecord& record) {
    const JsonValue& name = record.value("name");
    dataset.categories.push_back(
        {.id = 0, .name = name.kind == JsonValue::Kind::integer ? std::to_string(name.integer) : record.text("name")});
    read.category_ids.push_back(read.categories.read_new(record, "id"));
  };
  read_json_lists(file,
                  {{"images", {"id", "file_name", "width", "height"}, take_image},
                   {"annotations",
                    {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"},
                    take_annotation,
                    true},
                   {"categories", {"id", "name"}, take_category}},
                  !options.strict);
  if (!has_annotations) dataset.warnings.push_back(file + ": has no annotations: every picture is one without objects");
  number_text_ids(file, read, findings);
  std::sort(dataset.categories.begin(), dataset.categories.end(),
            [](const Category& a, const Category& b) { return a.id < b.id; });
  place_annotations(read, findings);
  take_shares_times_size(dataset, findings);
  find_boxes_that_are_not_learned(dataset, findings);
  find_repetitions(dataset, findings);
  if (!options.categories.empty()) arrange_categories(file, dataset, options.categories);
  findings.report(dataset);
  return std::move(read.dataset);
}

std::vector<Detection> read_coco_results(const std::string& file, const Dataset& truth,
                                         std::vector<std::string>& warnings) {
  const auto images = index_by_id(truth.images);
  const auto categories = index_by_id(truth.categories);
  const ImagesByName by_name(truth);
  std::vector<Detection> detections;
  detections.reserve(most_records(file, R"({"image_id":1,"category_id":1,"bbox":[1,2,3,4],"score":1},)"));
  ReadLog findings(file, false);
  const auto take = [&](const JsonRecord& record) {
    const Rect rect = record.rect("bbox");
    if (!(rect.w >= 0 && rect.h >= 0)) record.reject("bbox", "width and height must not be negative");
    const Detection detection = {.image_id = record.has("file_name")
                                                 ? id_of_file_name(record, truth, by_name)
                                                 : result_id(record, "image_id", truth.image_text_ids),
                                 .category_id = result_id(record, "category_id", truth.category_text_ids),
                                 .rect = rect,
                                 .score = record.number("score")};
    if (find_id(images, detection.image_id) < 0) {
      record.reject("image_id",
                    "no image of the ground truth has the id " + std::to_string(detection.image_id) +
                        "; results of other pictures, or numbered by another program? With \"file_name\" in "
                        "each result they are matched by name");
    }
    if (find_id(categories, detection.category_id) < 0) {
      findings.add(oddity::kUnknownResult, record.place() + ", category_id " + std::to_string(detection.category_id));
    } else {
      detections.push_back(detection);
    }
  };
  read_json_lists(file, {{"", {"image_id", "category_id", "bbox", "score", "file_name"}, take}});
  Dataset reported;
  findings.report(reported);
  warnings.insert(warnings.end(), reported.warnings.begin(), reported.warnings.end());
  return detections;
}

}  // namespace diopter
