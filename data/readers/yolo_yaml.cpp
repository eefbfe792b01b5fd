#include "data/readers/yolo_yaml.h"

#include <algorithm>
#include <string_view>

#include "data/readers/reader_support.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

constexpr std::string_view kKeys[] = {"path", "train", "val", "valid", "test", "names"};  // that are read

std::string unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return std::string(text);
}

/// Position of `wanted` outside quotes, from `begin` on.
std::size_t find_unquoted(std::string_view text, char wanted, std::size_t begin = 0) {
  char quote = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (quote == 0 && text[i] == wanted) return i;
    if (quote != 0 ? text[i] == quote : (text[i] == '\'' || text[i] == '"')) quote = quote ? 0 : text[i];
  }
  return std::string_view::npos;
}

/// `text` is a value, or `number: value`; the number must be the next one. Names of classes are checked.
void add_value(std::vector<std::string>& values, std::string_view text, bool numbered, bool is_name,
               const std::string& place) {
  if (numbered) {
    const std::size_t colon = find_unquoted(text, ':');
    DIOPTER_CHECK(colon != std::string_view::npos && unquoted(text.substr(0, colon)) == std::to_string(values.size()),
                  place, ": '", trim(text), "' should give the name of class ", values.size());
    text = text.substr(colon + 1);
  }
  values.push_back(unquoted(text));
  if (is_name) check_class_name(values.back(), place);
}

/// The values of `[a, b]` or `{0: a, 1: b}`.
std::vector<std::string> inline_values(std::string_view text, bool are_names, const std::string& place) {
  const bool numbered = text.front() == '{';
  DIOPTER_CHECK(text.back() == (numbered ? '}' : ']'), place, ": the list is not closed");
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> values;
  for (std::size_t begin = 0; !trim(text.substr(begin)).empty();) {
    const std::size_t end = std::min(find_unquoted(text, ',', begin), text.size());
    add_value(values, text.substr(begin, end - begin), numbered, are_names, place);
    begin = std::min(end + 1, text.size());
  }
  return values;
}

}  // namespace

YoloSettings read_data_yaml(const std::string& file) {
  YoloSettings settings;
  std::string list;  // key whose items follow, one per line
  const std::vector<std::string> lines = read_lines(file);
  const auto content = [&](std::size_t i) {
    return std::string_view(lines[i]).substr(0, find_unquoted(lines[i], '#'));
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string place = file + ": line " + std::to_string(i + 1);
    const std::string_view line = content(i), text = trim(line);
    if (text.empty()) continue;
    const bool item = text.front() == '-' && text != "---";
    if (item || line.front() == ' ' || line.front() == '\t') {
      if (!list.empty()) add_value(settings[list], item ? text.substr(1) : text, !item, list == "names", place);
      continue;
    }
    list.clear();
    const std::size_t colon = find_unquoted(text, ':');
    if (colon == std::string_view::npos) continue;
    const std::string key = unquoted(text.substr(0, colon));
    if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) continue;
    std::string value(trim(text.substr(colon + 1)));
    settings[key].clear();
    if (value.empty()) {
      list = key;
    } else if (value.front() == '[' || value.front() == '{') {
      const char end = value.front() == '[' ? ']' : '}';
      while (value.back() != end && i + 1 < lines.size()) value += " " + std::string(trim(content(++i)));
      settings[key] = inline_values(trim(value), key == "names", place);
    } else {
      settings[key] = {unquoted(value)};
    }
  }
  return settings;
}

YoloSettings read_darknet_data(const std::string& file) {
  YoloSettings settings;
  for (const std::string& line : read_lines(file)) {
    const std::size_t equals = line.find('=');
    if (trim(line).starts_with('#') || equals == std::string::npos) continue;
    settings[std::string(trim(std::string_view(line).substr(0, equals)))] = {
        unquoted(std::string_view(line).substr(equals + 1))};
  }
  return settings;
}

std::vector<std::string> read_name_lines(const std::string& file) {
  std::vector<std::string> names;
  const std::vector<std::string> lines = read_lines(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    names.emplace_back(trim(lines[i]));
    check_class_name(names.back(), file + ": line " + std::to_string(i + 1));
  }
  return names;
}

}  // namespace diopter
