#include "retinanet/config/setting.h"

#include "retinanet/config/toml_table.h"

namespace diopter {

namespace {

/// Adds every value below the table, keys joined with dots.
void add_values(const toml::table& table, const std::string& prefix, const std::string& file, Settings& settings) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      add_values(*inner, name + ".", file, settings);
    } else {
      const std::string where = place_of(node, file);
      settings.emplace_back(name, value_of(node, where), where);
    }
  }
}

/// The value of "key=value": TOML, or else a string as it stands.
Value parse_value(const std::string& text) {
  try {
    const toml::table table = parse_toml_file("value = " + text, "");
    if (table.size() == 1) return value_of(*table.get("value"), "");
  } catch (const Error&) {
  }
  return text;
}

}  // namespace

Setting::Setting(const std::string& assignment) : Setting(parse_setting(assignment, "--set " + assignment)) {}

Setting parse_setting(const std::string& assignment, const std::string& where) {
  const std::size_t equals = assignment.find('=');
  DIOPTER_CHECK(equals != std::string::npos && equals > 0, where, ": expected key=value");
  const std::string written = assignment.substr(equals + 1);
  Setting setting{assignment.substr(0, equals), parse_value(written), where};
  setting.written = written;
  return setting;
}

Settings read_settings(const std::string& text, const std::string& file) {
  Settings settings;
  add_values(parse_toml_file(text, file), "", file, settings);
  return settings;
}

}  // namespace diopter
