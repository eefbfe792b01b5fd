#include "data/readers/json/json_records.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include "data/readers/json/json_events.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Kind = JsonValue::Kind;

std::string describe(double number) { return json_text(nlohmann::json(number)); }

/// The value as a message shows it: the string "abc", 1.5, a list, ....
std::string describe(const JsonValue& value) {
  switch (value.kind) {
    case Kind::absent: return "missing";
    case Kind::null: return "null";
    case Kind::boolean: return value.integer ? "true" : "false";
    case Kind::integer: return std::to_string(value.integer);
    case Kind::real: return describe(value.real);
    case Kind::text: return "the string " + json_text(nlohmann::json(value.text));
    case Kind::list:
      return value.only_numbers ? "a list of " + std::to_string(value.numbers.size()) + " numbers" : "a list";
    case Kind::object: return "an object";
  }
  return "";
}

}  // namespace

const JsonValue& JsonRecord::value(std::string_view field) const {
  static const JsonValue absent;
  for (std::size_t i = 0; i < names_->size(); ++i) {
    if ((*names_)[i] == field) return values_[i];
  }
  return absent;
}

std::string JsonRecord::place() const { return *list_ + "[" + std::to_string(position_) + "]"; }

void JsonRecord::reject(std::string_view field, const std::string& reason) const {
  fail(*file_, ": ", place(), ".", field, ": ", reason);
}

bool JsonRecord::has(std::string_view field) const {
  const Kind kind = value(field).kind;
  return kind != Kind::absent && kind != Kind::null;
}

void JsonRecord::expect(bool fits, std::string_view field, const JsonValue& v, const char* wanted) const {
  if (v.kind == Kind::absent) reject(field, "is missing");
  if (!fits) reject(field, std::string("must be ") + wanted + ", is " + describe(v));
}

std::int64_t JsonRecord::integer(std::string_view field) const {
  const JsonValue& v = value(field);
  expect(v.kind == Kind::integer, field, v, "an integer");
  return v.integer;
}

double JsonRecord::number(std::string_view field) const {
  const JsonValue& v = value(field);
  expect(v.kind == Kind::integer || v.kind == Kind::real, field, v, "a number");
  return v.real;
}

const std::string& JsonRecord::text(std::string_view field) const {
  const JsonValue& v = value(field);
  expect(v.kind == Kind::text, field, v, "a string");
  return v.text;
}

bool JsonRecord::flag(std::string_view field) const {
  const JsonValue& v = value(field);
  const bool text = v.kind == Kind::text && (v.text == "0" || v.text == "1");
  expect(text || v.kind == Kind::boolean || (v.kind == Kind::integer && (v.integer == 0 || v.integer == 1)), field, v,
         "0 or 1");
  return text ? v.text == "1" : v.integer != 0;
}

Rect JsonRecord::rect(std::string_view field) const {
  const JsonValue& v = value(field);
  const std::vector<double>& n = v.numbers;
  expect(v.kind == Kind::list && v.only_numbers && n.size() == 4, field, v, "four numbers [x, y, width, height]");
  return {n[0], n[1], n[2], n[3]};
}

/// Receives the parser's events (nlohmann's SAX interface) and cuts them into records.
class JsonListParser {
 public:
  JsonListParser(const std::string& file, const std::vector<JsonList>& lists)
      : file_(file), lists_(lists), found_(lists.size(), false) {
    record_.file_ = &file_;
    root_is_list_ = lists.size() == 1 && lists[0].name.empty();
  }

  /// Says what is wrong with a text that is no JSON, and where; nobody gets the records. Returns where it is JSON.
  void judge(const std::string& bytes) {
    judged_ = &bytes;
    nlohmann::json::sax_parse(bytes, this);
  }

  bool null() { return scalar(Kind::null, 0, 0); }
  bool boolean(bool b) { return scalar(Kind::boolean, b, b); }
  bool number_integer(std::int64_t i) { return scalar(Kind::integer, i, static_cast<double>(i)); }
  bool number_unsigned(std::uint64_t u) {
    if (u > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return scalar(Kind::real, 0, static_cast<double>(u));
    }
    return number_integer(static_cast<std::int64_t>(u));
  }
  bool number_float(double d, std::string_view) { return scalar(Kind::real, 0, d); }
  bool string(std::string_view text) {
    const std::optional<double> number = in_list_of_field() ? parse_number(text) : std::nullopt;
    if (number && std::isfinite(*number)) return scalar(Kind::real, 0, *number);
    scalar(Kind::text, 0, 0);
    if (in_record() && field_) field_->text = text;
    if (member_ == Member::counts && field_) field_->coded_counts = text;
    return true;
  }
  bool binary(nlohmann::json::binary_t&) { return true; }

  bool start_object(std::size_t) {
    if (depth_ == 0 && root_is_list_) reject_root("a list", "an object");
    if (inside_ > 0 && depth_ == inside_) {
      for (JsonValue& v : record_.values_) v.kind = Kind::absent;
    } else {
      nested(Kind::object);
    }
    ++depth_;
    return true;
  }

  bool end_object() {
    --depth_;
    if (inside_ > 0 && depth_ == inside_) {
      field_ = nullptr;
      if (!judged_) list_->take(record_);
      ++record_.position_;
    }
    return true;
  }

  bool start_array(std::size_t) {
    if (depth_ == 0 && !root_is_list_) reject_root("an object", "a list");
    if (inside_ == 0 && depth_ == 0) list_ = &lists_[0];
    if (inside_ == 0 && list_ && depth_ == (root_is_list_ ? 0 : 1)) {
      begin_list();
    } else {
      nested(Kind::list);
    }
    ++depth_;
    return true;
  }

  bool end_array() {
    if (depth_ == inside_) {
      inside_ = 0;
      list_ = nullptr;
    }
    --depth_;
    return true;
  }

  bool key(std::string_view name) {
    if (inside_ == 0 && depth_ == 1) {
      list_ = nullptr;
      for (const JsonList& list : lists_) {
        if (list.name == name) list_ = &list;
      }
    } else if (inside_ > 0 && depth_ == inside_ + 2) {
      member_ = name == "counts" ? Member::counts : name == "size" ? Member::size : Member::other;
    } else if (in_record()) {
      member_ = Member::none;
      field_ = nullptr;
      for (std::size_t i = 0; i < list_->fields.size(); ++i) {
        if (list_->fields[i] == name) field_ = &record_.values_[i];
      }
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& error) {
    std::string what = json_problem(error.what());
    if (!what.starts_with("line ")) what = "line " + std::to_string(line_of(position)) + ": " + what;
    const bool python = token.ends_with("N") || token.ends_with("I");
    const std::string where = inside_ > 0 ? record_.place() + ": " : "";
    fail(file_, ": ", where, what, python ? " (JSON has no NaN and no Infinity)" : "");
  }

  void finish() const {
    for (std::size_t i = 0; i < lists_.size(); ++i) {
      DIOPTER_CHECK(found_[i] || lists_[i].optional, file_, ": has no list \"", lists_[i].name, '"');
    }
  }

 private:
  /// Directly in a record: where its fields are.
  bool in_record() const { return inside_ > 0 && depth_ == inside_ + 1; }
  /// In a list that is a field of a record, or in a list in it.
  bool in_list_of_field() const { return inside_ > 0 && depth_ >= inside_ + 2 && field_ && field_->kind == Kind::list; }

  [[noreturn]] void reject_root(const char* wanted, const char* actual) const {
    const std::string names = join(lists_, ", ", [](const JsonList& list) { return list.name; });
    fail(file_, ": must hold ", wanted, names.empty() ? "" : " with the lists " + names, ", is ", actual);
  }

  std::ptrdiff_t line_of(std::size_t position) const {
    const auto end = judged_->begin() + static_cast<std::ptrdiff_t>(std::min(position, judged_->size()));
    return 1 + std::count(judged_->begin(), end, '\n');
  }

  void begin_list() {
    found_[list_ - lists_.data()] = true;
    inside_ = depth_ + 1;
    record_.list_ = &list_->name;
    record_.names_ = &list_->fields;
    record_.values_.assign(list_->fields.size(), {});
    record_.position_ = 0;
  }

  bool scalar(Kind kind, std::int64_t integer, double real) {
    if (depth_ == 0) reject_root(root_is_list_ ? "a list" : "an object", "a single value");
    if (in_record()) {
      if (field_) {
        field_->kind = kind;
        field_->integer = integer;
        field_->real = real;
      }
    } else if (in_list_of_field() && (kind == Kind::integer || kind == Kind::real)) {
      field_->numbers.push_back(real);
    } else if (field_ && field_->kind == Kind::object && (kind == Kind::integer || kind == Kind::real)) {
      if (member_ == Member::counts) field_->counts.push_back(real);
      if (member_ == Member::size) field_->size.push_back(real);
    } else {
      nested(kind);
    }
    return true;
  }

  /// A value that is neither a record nor a scalar field of one.
  void nested(Kind kind) {
    if (inside_ == 0) {
      DIOPTER_CHECK(depth_ != 1 || !list_, file_, ": ", list_->name, ": must be a list");
    } else if (depth_ == inside_) {
      fail(file_, ": ", record_.place(), ": must be an object");
    } else if (!field_) {
      return;
    } else if (in_record()) {
      field_->kind = kind;
      field_->only_numbers = true;
      for (std::vector<double>* list : {&field_->numbers, &field_->counts, &field_->size}) list->clear();
      field_->coded_counts.clear();
      member_ = Member::none;
    } else {
      field_->only_numbers = false;
    }
  }

  const std::string& file_;
  const std::string* judged_ = nullptr;
  const std::vector<JsonList>& lists_;
  std::vector<bool> found_;
  bool root_is_list_ = false;
  int depth_ = 0;                   // containers that are open
  int inside_ = 0;                  // depth of the records of the list that is being read; 0 outside of one
  const JsonList* list_ = nullptr;  // being read, or announced by its key
  JsonValue* field_ = nullptr;  // of record_, that the next value belongs to; nullptr outside or when nobody wants it
  enum class Member { none, counts, size, other } member_ = Member::none;  // of an object that is a field
  JsonRecord record_;
};

/// Python's NaN, Infinity and -Infinity outside of strings as empty objects of the same length.
std::string without_python_numbers(std::string bytes) {
  if (bytes.find("NaN") == std::string::npos && bytes.find("Infinity") == std::string::npos) return bytes;
  bool in_string = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (in_string) {
      if (bytes[i] == '\\')
        ++i;
      else if (bytes[i] == '"')
        in_string = false;
      continue;
    }
    if (bytes[i] == '"') in_string = true;
    for (const std::string_view word :
         {std::string_view("NaN"), std::string_view("-Infinity"), std::string_view("Infinity")}) {
      if (bytes.compare(i, word.size(), word) != 0) continue;
      bytes.replace(i, word.size(), "{}" + std::string(word.size() - 2, ' '));
      break;
    }
  }
  return bytes;
}

namespace {

/// Reads on from the reader; whether the text is JSON.
bool read_events(JsonEventReader<JsonListParser> reader, bool python_numbers) {
  if (python_numbers) reader.accept_python_numbers();
  return reader.read();
}

bool read_piece_by_piece(const std::string& file, JsonListParser& parser, bool python_numbers) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "rb"), std::fclose);
  return in && read_events({in.get(), parser}, python_numbers) && !std::ferror(in.get());
}

}  // namespace

void read_json_lists(const std::string& file, const std::vector<JsonList>& lists, bool python_numbers) {
  JsonListParser parser(file, lists);
  std::error_code unknown;
  std::string bytes;
  if (std::filesystem::is_regular_file(file, unknown)) {
    if (read_piece_by_piece(file, parser, python_numbers)) return parser.finish();
    bytes = read_file(file);
  } else {  // a pipe can be read once
    bytes = read_file(file);
    if (read_events({std::string_view(bytes), parser}, python_numbers)) return parser.finish();
  }
  JsonListParser(file, lists).judge(python_numbers ? without_python_numbers(std::move(bytes)) : bytes);
  fail(file, ": is no JSON");
}

}  // namespace diopter
