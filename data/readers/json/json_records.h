// JSON lists of objects, read as a stream: one object is held at a time, so that large files need little memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// One value as it stands in the file; lists keep their numbers only, objects what they have of a mask.
struct JsonValue {
  enum class Kind { absent, null, boolean, integer, real, text, list, object };
  Kind kind = Kind::absent;
  bool only_numbers = true;  // of a list, numbers in quotes among them
  std::int64_t integer = 0;  // also 0 or 1 of a boolean
  double real = 0;           // also set for an integer
  std::string text;
  std::vector<double> numbers;  // of a list, and of the lists in it, one after another
  // Of an object with the members of a mask (COCO's run-length encoding).
  std::vector<double> counts, size;
  std::string coded_counts;
};

/// An object of a list, say images[7], with the fields that were asked for. Each reader throws
/// Error "FILE: images[7].FIELD: what is wrong" when the value is not of its kind.
class JsonRecord {
 public:
  /// Present and not null.
  bool has(std::string_view field) const;
  const JsonValue& value(std::string_view field) const;
  std::int64_t integer(std::string_view field) const;
  double number(std::string_view field) const;
  const std::string& text(std::string_view field) const;
  /// 0, 1, false or true; "0" or "1".
  bool flag(std::string_view field) const;
  /// Four numbers [x, y, width, height].
  Rect rect(std::string_view field) const;

  std::size_t position() const { return position_; }
  /// "images[7]"
  std::string place() const;
  [[noreturn]] void reject(std::string_view field, const std::string& reason) const;

 private:
  friend class JsonListParser;
  void expect(bool fits, std::string_view field, const JsonValue& value, const char* wanted) const;

  const std::string* file_ = nullptr;
  const std::string* list_ = nullptr;
  const std::vector<std::string>* names_ = nullptr;
  std::vector<JsonValue> values_;
  std::size_t position_ = 0;
};

/// A list to read: its key in the outermost object, the wanted fields of its objects, and who takes each object.
struct JsonList {
  std::string name;
  std::vector<std::string> fields;
  std::function<void(const JsonRecord&)> take;
  bool optional = false;
};

/// Reads the given lists of a file that holds an object; all must be there that are not optional. Other keys are
/// skipped. A single list without a name is the file's outermost value itself. Throws Error with file and place; for
/// text that is no JSON with line and column. `python_numbers`: Python's NaN and Infinity, which JSON does not have,
/// are values of no kind instead of an error.
void read_json_lists(const std::string& file, const std::vector<JsonList>& lists, bool python_numbers = false);

}  // namespace diopter
