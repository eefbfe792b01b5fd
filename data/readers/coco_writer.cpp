// Writes COCO files.
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"

namespace diopter {

namespace {

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

}  // namespace

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
