// A value of a setting: what TOML can say, and a loss with its parameters.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "kernels/detection/any_loss.h"
#include "retinanet/config/range.h"

namespace diopter {

struct Value {
  using List = std::vector<Value>;

  Value(bool flag) : of(flag) {}
  Value(int integer) : of(std::int64_t{integer}) {}
  Value(std::int64_t integer) : of(integer) {}
  Value(double number) : of(number) {}
  Value(float number) : of(widened(number)) {}
  Value(const char* text) : of(std::string(text)) {}
  Value(std::string text) : of(std::move(text)) {}
  Value(List list) : of(std::move(list)) {}
  template <class T>
  Value(const std::vector<T>& list) : of(List(list.begin(), list.end())) {}
  Value(const AnyLoss& loss) : of(loss) {}

  std::variant<bool, std::int64_t, double, std::string, List, AnyLoss> of;
};

/// As TOML, as configurations are written: 'text', 0.1, 2.0, [1, 2], of a loss its name.
std::string toml_text(const Value& value);

/// As key=value on a command line: strings bare, numbers in the fewest digits, of a loss name and parameters.
std::string setting_text(const Value& value);

}  // namespace diopter
