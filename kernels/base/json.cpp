#include "kernels/base/json.h"

#include "kernels/base/limits.h"

namespace diopter {

namespace {

class TooDeep : public nlohmann::json::exception {
 public:
  TooDeep() : exception(0, "lists and objects inside each other, deeper than any file of ours") {}
};

/// Who goes over a value calls itself for each list or object inside another: the stack must be enough.
void check_depth(std::string_view text) {
  std::int64_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
    } else if (c == '[' || c == '{') {
      if (++depth > limits::kJsonDepth.value) throw TooDeep();
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

}  // namespace

nlohmann::json parse_json(std::string_view text) {
  check_depth(text);
  return nlohmann::json::parse(text.begin(), text.end());
}

nlohmann::ordered_json parse_ordered_json(std::string_view text) {
  check_depth(text);
  return nlohmann::ordered_json::parse(text.begin(), text.end());
}

std::string json_text(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_text(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string json_problem(const std::string& what) {
  // "[json.exception.parse_error.101] parse error at line 1, column 7: what", "[json.exception.out_of_range.406] what"
  const std::string prefix = "parse error at ", text = what.substr(what.find("] ") + 2);
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace diopter
