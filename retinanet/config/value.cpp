#include "retinanet/config/value.h"

#include <toml++/toml.h>
#include <sstream>

#include "kernels/base/text.h"
#include "retinanet/config/loss_text.h"

namespace diopter {

namespace {

struct TomlText {
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(std::int64_t integer) const { return std::to_string(integer); }
  std::string operator()(double number) const {
    const std::string digits = shortest(number);
    return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
  }
  std::string operator()(const std::string& text) const {
    std::ostringstream quoted;
    quoted << toml::value<std::string>(text);
    return quoted.str();
  }
  std::string operator()(const Value::List& list) const { return "[" + join(list, ", ", toml_text) + "]"; }
  std::string operator()(const AnyLoss& loss) const { return (*this)(std::string(loss_name(loss))); }
};

struct SettingText {
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(std::int64_t integer) const { return std::to_string(integer); }
  std::string operator()(double number) const { return shortest(number); }
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(const Value::List& list) const { return "[" + join(list, ", ", setting_text) + "]"; }
  std::string operator()(const AnyLoss& loss) const { return format_loss(loss); }
};

}  // namespace

std::string toml_text(const Value& value) { return std::visit(TomlText{}, value.of); }

std::string setting_text(const Value& value) { return std::visit(SettingText{}, value.of); }

}  // namespace diopter
