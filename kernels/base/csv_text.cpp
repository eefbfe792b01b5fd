#include "kernels/base/csv_text.h"

#include "kernels/base/text.h"

namespace diopter {

CsvText& CsvText::operator<<(std::string_view text) {
  const std::string field = printable(text);
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
  return fields;
}

}  // namespace diopter
