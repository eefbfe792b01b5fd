// Tables as comma-separated text (RFC 4180).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// Lines of comma-separated fields; numbers in the shortest digits that read back as the same number. Fields are as
/// `printable` makes them, so that a line of text is a line of the table; one that a spreadsheet would take for a
/// formula, beginning with = or @, or with + or - and no number, has an apostrophe before it.
class CsvText {
 public:
  CsvText() = default;
  explicit CsvText(const std::vector<std::string>& columns) { line(columns); }

  CsvText& operator<<(std::string_view text);
  CsvText& operator<<(double value);
  CsvText& operator<<(std::int64_t value);
  void end_line();
  /// The fields and the line's end.
  void line(const std::vector<std::string>& fields);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool in_line_ = false;
};

/// The fields of one line without its end, without the apostrophe before what looks like a formula. A field in double
/// quotes may hold separators, and quotes written twice.
/// Nothing when a quote is not closed.
std::optional<std::vector<std::string>> csv_fields(std::string_view line, char separator = ',');

}  // namespace diopter
