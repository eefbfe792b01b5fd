#include "retinanet/config/toml_table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/did_you_mean.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// Goes over TOML text and compares lists, tables and dotted keys with the limits: toml++, and who walks what it makes,
/// call themselves for each level.
class DepthCheck {
 public:
  DepthCheck(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  void run() {
    while (at_ < text_.size()) step();
  }

 private:
  void step() {
    const char c = text_[at_];
    if (c == '"' || c == '\'') return skip_string(c);
    if (c == '#') return skip_to(text_.find('\n', at_));
    if (c == '[' || c == '{') check(limits::kTomlDepth, ++depth_);
    if (c == ']' || c == '}') --depth_;
    if (c == '\n') ++line_;
    if (c == '.') {
      check(limits::kTomlKeyParts, ++parts_);
    } else if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') {
      parts_ = 1;
    }
    ++at_;
  }

  /// A string ends with the quotes that it begins with: one, or three and then as many more as there are.
  void skip_string(char quote) {
    const bool several_lines = text_.compare(at_, 3, std::string(3, quote)) == 0;
    const std::string end(several_lines ? 3 : 1, quote);
    for (at_ += end.size(); at_ < text_.size() && text_.compare(at_, end.size(), end) != 0; ++at_) {
      if (text_[at_] == '\n' && !several_lines) return;  // an error, which toml++ names
      if (text_[at_] == '\\' && quote == '"') ++at_;
      if (at_ < text_.size() && text_[at_] == '\n') ++line_;
    }
    skip_to(at_ + end.size());
    while (several_lines && at_ < text_.size() && text_[at_] == quote) ++at_;
  }

  void skip_to(std::size_t position) { at_ = std::min(position, text_.size()); }

  void check(const Limit& limit, int number) const { check_limit(limit, number, file_ + ":" + std::to_string(line_)); }

  const std::string& text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1, depth_ = 0, parts_ = 1;
};

}  // namespace

toml::table parse_toml_file(const std::string& text, const std::string& file) {
  DepthCheck(text, file).run();
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(file, ":", error.source().begin.line, ": ", error.description());
  }
}

std::string place_of(const toml::node& node, const std::string& file) {
  return file + ":" + std::to_string(node.source().begin.line);
}

Value value_of(const toml::node& node, const std::string& where) {
  if (const auto* text = node.as_string()) return **text;
  if (const auto* flag = node.as_boolean()) return **flag;
  if (const auto* integer = node.as_integer()) return **integer;
  if (const auto* number = node.as_floating_point()) return **number;
  const toml::array* list = node.as_array();
  DIOPTER_CHECK(list, where, ": a value is a string, a number, true, false or a list");
  Value::List values;
  for (const toml::node& element : *list) values.push_back(value_of(element, where));
  return values;
}

TomlTable::TomlTable(std::string file, std::string name, const toml::table& table,
                     const std::vector<std::string>& known)
    : file_(std::move(file)), name_(std::move(name)), table_(table) {
  for (const auto& [key, node] : table) {
    const std::string typed(key.str());
    if (std::count(known.begin(), known.end(), typed)) continue;
    reject(node, "unknown key ", full_name(typed), hint(typed, known));
  }
}

const toml::node& TomlTable::at(const std::string& key) const {
  const toml::node* node = table_.get(key);
  if (!node && name_.empty()) fail(file_, ": ", key, " is missing");
  if (!node) reject(table_, full_name(key), " is missing");
  return *node;
}

TomlTable TomlTable::table(const std::string& key, const std::vector<std::string>& known) const {
  const toml::table* inner = at(key).as_table();
  if (!inner) reject_key(key, "must be a table");
  return {file_, name_.empty() ? key : name_ + "." + key, *inner, known};
}

std::string TomlTable::text(const std::string& key) const {
  const auto* value = at(key).as_string();
  if (!value || (*value)->empty()) reject_key(key, "must be a string that is not empty");
  return **value;
}

int TomlTable::integer(const std::string& key, int least) const {
  const auto* value = at(key).as_integer();
  constexpr int kMost = std::numeric_limits<int>::max();
  if (!value || **value < least || **value > kMost) reject_key(key, "must be an integer from ", least, " to ", kMost);
  return static_cast<int>(**value);
}

double TomlTable::number(const std::string& key) const {
  const toml::node& node = at(key);
  const double value = node.is_number() ? *node.value<double>() : double{NAN};
  if (!std::isfinite(value)) reject_key(key, "must be a number");
  return value;
}

bool TomlTable::flag(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  const auto* value = at(key).as_boolean();
  if (!value) reject_key(key, "must be true or false");
  return **value;
}

std::vector<double> TomlTable::numbers(const std::string& key) const {
  const toml::array* list = at(key).as_array();
  if (!list || list->empty()) reject_key(key, "must be a list of numbers that is not empty");
  std::vector<double> values;
  for (const toml::node& node : *list) {
    values.push_back(node.is_number() ? *node.value<double>() : double{NAN});
    if (!std::isfinite(values.back())) reject(node, full_name(key), " must be a list of numbers");
  }
  return values;
}

std::pair<double, double> TomlTable::range(const std::string& key, std::pair<double, double> fallback) const {
  if (!has(key)) return fallback;
  const std::vector<double> values = numbers(key);
  if (values.size() != 2) reject_key(key, "must be [least, greatest]");
  return {values[0], values[1]};
}

std::vector<std::int64_t> TomlTable::seeds(const std::string& key) const {
  const toml::array* list = at(key).as_array();
  if (!list || list->empty()) reject_key(key, "must be a list of seeds that is not empty");
  check_limit(limits::kProtocolList, static_cast<std::int64_t>(list->size()), place(*list));
  std::vector<std::int64_t> values;
  for (const toml::node& node : *list) {
    const auto* value = node.as_integer();
    if (!value || **value < 0) reject(node, full_name(key), " must be a list of integers of at least 0");
    if (std::count(values.begin(), values.end(), **value)) reject(node, full_name(key), " names ", **value, " twice");
    values.push_back(**value);
  }
  return values;
}

}  // namespace diopter
