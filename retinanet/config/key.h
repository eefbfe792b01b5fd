// Key of the configuration: all that is known of it.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/config/range.h"
#include "retinanet/config/value.h"

namespace diopter {

struct Key {
  std::string name;                    // "train.lr"
  std::string help;                    // one line
  std::string type;                    // "number", "list of integers", ...; "name" of one of the choices
  std::vector<std::string> choices{};  // of a name, or beside the numbers
  Range range{};                       // of a number, and of each in a list
  std::size_t least = 0, most = std::numeric_limits<std::size_t>::max();  // elements of a list
  bool of_loss = false;  // a parameter of the loss, not a key of every configuration
  Value before;          // in files from before the key existed
  bool later = false;    // than the first release, 0.1: see hashed_text
  std::function<Value(const Config&)> get{};
  /// Throws ConfigError, with this place, when the value is of another type.
  std::function<void(Config&, const Value&, const std::string& where)> set{};

  /// Throws ConfigError without a place when the configuration's value is out of range.
  void check(const Config& config) const;
  /// "train"
  std::string section() const { return name.substr(0, name.find('.')); }
  /// "integer, at least 1", "c5, p5"
  std::string values() const;
};

}  // namespace diopter
