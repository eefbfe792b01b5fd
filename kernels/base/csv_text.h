// Tables as comma-separated text (RFC 4180).
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace diopter {

/// Lines of comma-separated fields; numbers in the shortest digits that read back as the same number.
class CsvText {
 public:
  explicit CsvText(std::initializer_list<const char*> columns = {}) {
    for (const char* column : columns) *this << column;
    if (columns.size() > 0) end_line();
  }

  CsvText& operator<<(std::string_view field) {
    begin_field();
    if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
      text_ += field;
      return *this;
    }
    text_ += '"';
    for (const char c : field) text_.append(c == '"' ? 2 : 1, c);
    text_ += '"';
    return *this;
  }
  CsvText& operator<<(double value) {
    char digits[32];
    begin_field();
    text_.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
    return *this;
  }
  CsvText& operator<<(std::int64_t value) {
    begin_field();
    text_ += std::to_string(value);
    return *this;
  }
  void end_line() {
    text_ += '\n';
    in_line_ = false;
  }
  const std::string& text() const { return text_; }

 private:
  void begin_field() {
    if (in_line_) text_ += ',';
    in_line_ = true;
  }
  std::string text_;
  bool in_line_ = false;
};

}  // namespace diopter
