#include "kernels/base/csv_text.h"

#include <charconv>

#include "kernels/base/text.h"

namespace diopter {

namespace {

bool is_number(std::string_view text) {
  double value = 0;
  const char* const begin = text.data() + text.starts_with('+');
  const std::from_chars_result read = std::from_chars(begin, text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

/// Whether a spreadsheet would compute what the field says.
bool looks_like_formula(std::string_view field) {
  if (field.starts_with('=') || field.starts_with('@')) return true;
  return field.size() > 1 && (field[0] == '+' || field[0] == '-') && !is_number(field);
}

}  // namespace

CsvText& CsvText::operator<<(std::string_view text) {
  const std::string shown = printable(text), field = looks_like_formula(shown) ? "'" + shown : shown;
  if (in_line_) text_ += ',';
  in_line_ = true;
  if (field.find_first_of(",\"") == std::string::npos) {
    text_ += field;
    return *this;
  }
  text_ += '"';
  for (const char c : field) text_.append(c == '"' ? 2 : 1, c);
  text_ += '"';
  return *this;
}

CsvText& CsvText::operator<<(double value) { return *this << std::string_view(shortest(value)); }
CsvText& CsvText::operator<<(std::int64_t value) { return *this << std::string_view(std::to_string(value)); }

void CsvText::end_line() {
  text_ += '\n';
  in_line_ = false;
}

void CsvText::line(const std::vector<std::string>& fields) {
  for (const std::string& field : fields) *this << field;
  end_line();
}

std::optional<std::vector<std::string>> csv_fields(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  for (std::string& field : fields) {
    if (field.starts_with('\'') && looks_like_formula(std::string_view(field).substr(1))) field.erase(0, 1);
  }
  return fields;
}

}  // namespace diopter
