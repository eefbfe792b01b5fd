// A table of a TOML file, read strictly: every error names the file, the line and the key.
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "retinanet/config/value.h"

namespace diopter {

/// Parses TOML; throws Error "FILE:LINE: what is wrong".
toml::table parse_toml_file(const std::string& text, const std::string& file);

/// "FILE:LINE"
std::string place_of(const toml::node& node, const std::string& file);

/// The value of a node. Throws Error "WHERE: ..." for tables, dates and times.
Value value_of(const toml::node& node, const std::string& where);

class TomlTable {
 public:
  /// `name` is the table's in messages, "" for the file itself. Refuses keys that are not `known`, naming the nearest.
  /// The table must outlive the object.
  TomlTable(std::string file, std::string name, const toml::table& table, const std::vector<std::string>& known);

  bool has(const std::string& key) const { return table_.contains(key); }
  /// The value of a key; throws Error when there is none.
  const toml::node& at(const std::string& key) const;
  TomlTable table(const std::string& key, const std::vector<std::string>& known) const;

  /// Values by type; of a missing key the fallback, or an Error where there is no fallback.
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& fallback) const {
    return has(key) ? text(key) : fallback;
  }
  int integer(const std::string& key, int least) const;
  int integer(const std::string& key, int least, int fallback) const {
    return has(key) ? integer(key, least) : fallback;
  }
  double number(const std::string& key) const;
  double number(const std::string& key, double fallback) const { return has(key) ? number(key) : fallback; }
  bool flag(const std::string& key, bool fallback) const;
  std::vector<double> numbers(const std::string& key) const;
  /// [least, greatest]
  std::pair<double, double> range(const std::string& key, std::pair<double, double> fallback) const;
  /// Different integers >= 0, one or more.
  std::vector<std::int64_t> seeds(const std::string& key) const;

  /// Throws Error "FILE:LINE: ..." with the line of the node.
  template <class... Parts>
  [[noreturn]] void reject(const toml::node& node, const Parts&... parts) const {
    fail(place(node), ": ", parts...);
  }
  /// The same with the key's full name before the parts: "[data].seed must be ..."
  template <class... Parts>
  [[noreturn]] void reject_key(const std::string& key, const Parts&... parts) const {
    reject(at(key), full_name(key), " ", parts...);
  }
  std::string place(const toml::node& node) const { return place_of(node, file_); }
  std::string full_name(const std::string& key) const { return name_.empty() ? key : "[" + name_ + "]." + key; }
  const toml::table& raw() const { return table_; }

 private:
  std::string file_, name_;
  const toml::table& table_;
};

}  // namespace diopter
