// Rows of the table of keys: what a key reads, writes, says and allows, by the type of its member of Config.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/base/text.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/key.h"
#include "retinanet/config/loss_text.h"

namespace diopter {

/// Takes a value over into a member of its type, or says what was wanted.
struct Reader {
  const std::string& key;
  const std::string& where;

  [[noreturn]] void reject(const std::string& rule) const { throw ConfigError(key, where, key + " " + rule); }

  void read(const Value& value, bool& target) const {
    const bool* flag = std::get_if<bool>(&value.of);
    if (!flag) reject("must be true or false");
    target = *flag;
  }
  void read(const Value& value, std::int64_t& target) const {
    const std::int64_t* integer = std::get_if<std::int64_t>(&value.of);
    if (!integer) reject("must be an integer");
    target = *integer;
  }
  void read(const Value& value, int& target) const {
    std::int64_t wide = 0;
    read(value, wide);
    if (wide != static_cast<int>(wide)) reject("must be a smaller integer");
    target = static_cast<int>(wide);
  }
  void read(const Value& value, double& target) const {
    const double* number = std::get_if<double>(&value.of);
    const std::int64_t* integer = std::get_if<std::int64_t>(&value.of);
    if (!number && !integer) reject("must be a number");
    target = number ? *number : static_cast<double>(*integer);
    if (!std::isfinite(target)) reject("must be finite");
  }
  void read(const Value& value, float& target) const {
    double wide = 0;
    read(value, wide);
    target = static_cast<float>(wide);
    if (!std::isfinite(target)) reject("must be finite");
  }
  void read(const Value& value, std::string& target) const {
    const std::string* text = std::get_if<std::string>(&value.of);
    if (!text) reject("must be a string");
    target = *text;
  }
  template <class Rule, std::size_t N>
  void read(const Value& value, NumbersOrRule<Rule>& target, const Named<Rule> (&rules)[N]) const {
    const std::string* text = std::get_if<std::string>(&value.of);
    const std::optional<Rule> rule = text ? find_value(rules, *text) : std::nullopt;
    target = {};
    if (rule)
      target.rule = *rule;
    else if (std::holds_alternative<Value::List>(value.of))
      read(value, target.values);
    else if (std::holds_alternative<double>(value.of) || std::holds_alternative<std::int64_t>(value.of))
      read(value, target.values.emplace_back());
    else
      reject("must be a number, a list of numbers, " + join(names_in(rules), " or "));
  }
  void read(const Value& value, AnyLoss& target) const {
    const std::string* text = std::get_if<std::string>(&value.of);
    const AnyLoss* loss = std::get_if<AnyLoss>(&value.of);
    if (!text && !loss) reject("must be the name of a loss");
    target = loss ? *loss : parse_loss(*text, where);
  }
  template <class T>
  void read(const Value& value, std::vector<T>& target) const {
    const Value::List* list = std::get_if<Value::List>(&value.of);
    if (!list) reject("must be a list");
    target.clear();
    for (const Value& element : *list) read(element, target.emplace_back());
  }
};

inline const char* type_name(bool) { return "true or false"; }
inline const char* type_name(int) { return "integer"; }
inline const char* type_name(std::int64_t) { return "integer"; }
inline const char* type_name(double) { return "number"; }
inline const char* type_name(const std::string&) { return "string"; }
inline const char* type_name(const AnyLoss&) { return "name of a loss"; }
inline const char* type_name(const std::vector<int>&) { return "list of integers"; }
inline const char* type_name(const std::vector<double>&) { return "list of numbers"; }

/// How many elements a list has.
struct Length {
  std::size_t least, most;
};
inline constexpr Length kAnyLength{0, std::numeric_limits<std::size_t>::max()}, kNotEmpty{1, kAnyLength.most},
    kThree{3, 3};

/// Rows of one section of the file.
template <class Section>
struct Rows {
  const char* section;
  Section Config::*in_config;
  std::vector<Key>& keys;

  template <class T>
  Key& add(const char* name, T Section::*member, const T& before, const char* help) const {
    keys.push_back({.name = std::string(section) + "." + name, .help = help, .type = type_name(T{}), .before = before});
    Key& key = keys.back();
    key.get = [in_config = in_config, member](const Config& c) -> Value { return c.*in_config.*member; };
    key.set = [in_config = in_config, member, full_name = key.name](Config& c, const Value& value,
                                                                    const std::string& where) {
      Reader{full_name, where}.read(value, c.*in_config.*member);
    };
    return key;
  }
  Key& flag(const char* name, bool Section::*member, bool before, const char* help) const {
    return add(name, member, before, help);
  }
  Key& text(const char* name, std::string Section::*member, const char* before, const char* help) const {
    return add(name, member, std::string(before), help);
  }
  template <class T>
  Key& number(const char* name, T Section::*member, const Range& range, std::type_identity_t<T> before,
              const char* help) const {
    Key& key = add(name, member, before, help);
    key.range = range;
    return key;
  }
  template <class T>
  Key& list(const char* name, std::vector<T> Section::*member, Length length, const Range& range,
            std::vector<std::type_identity_t<T>> before, const char* help) const {
    Key& key = add(name, member, before, help);
    key.range = range;
    key.least = length.least;
    key.most = length.most;
    return key;
  }
  /// The name of a backbone. Which there are is not of this table: a header more is a backbone more.
  Key& backbone(const char* name, std::string Section::*member, const char* before, const char* help) const {
    Key& key = add(name, member, std::string(before), help);
    key.type = "name of a backbone";
    key.set = [in_config = in_config, member, full_name = key.name](Config& c, const Value& value,
                                                                    const std::string& where) {
      const std::vector<std::string>& names = backbone_names();
      const std::string* text = std::get_if<std::string>(&value.of);
      const Reader reader{full_name, where};
      if (!text || !std::count(names.begin(), names.end(), *text)) reader.reject("must be one of " + join(names));
      c.*in_config.*member = *text;
    };
    return key;
  }
  /// A number for all classes or one per class, or the name of a rule that finds them.
  template <class Rule, std::size_t N>
  Key& numbers_or_rule(const char* name, NumbersOrRule<Rule> Section::*member, const Range& range,
                       const Named<Rule> (&rules)[N], const Value& before, const char* help) const {
    keys.push_back({.name = std::string(section) + "." + name,
                    .help = help,
                    .type = "number, or list of one per class, or " + join(names_in(rules), ", "),
                    .range = range,
                    .least = 1,
                    .before = before});
    Key& key = keys.back();
    key.get = [in_config = in_config, member, &rules](const Config& c) -> Value {
      const NumbersOrRule<Rule>& numbers = c.*in_config.*member;
      if (numbers.rule != Rule::stated) return name_of(rules, numbers.rule);
      return numbers.values.size() == 1 ? Value(numbers.values[0]) : Value(numbers.values);
    };
    key.set = [in_config = in_config, member, &rules, full_name = key.name](Config& c, const Value& value,
                                                                            const std::string& where) {
      Reader{full_name, where}.read(value, c.*in_config.*member, rules);
    };
    return key;
  }
  Key& loss(const char* name, AnyLoss Section::*member, const AnyLoss& before, const char* help) const {
    return add(name, member, before, help);
  }
  /// A number within the range, or a value outside of it that has one of these names.
  template <class T, std::size_t N>
  Key& number_or_name(const char* name, T Section::*member, const Range& range, const Named<T> (&names)[N],
                      std::type_identity_t<T> before, const char* help) const {
    Key& key = number(name, member, range, before, help);
    const auto value_of_number = [&names](T number) -> Value {
      for (const Named<T>& n : names) {
        if (n.value == number) return n.name;
      }
      return number;
    };
    key.choices = names_in(names);
    key.before = value_of_number(before);
    key.get = [in_config = in_config, member, value_of_number](const Config& c) {
      return value_of_number(c.*in_config.*member);
    };
    key.set = [in_config = in_config, member, range, &names, full_name = key.name](Config& c, const Value& value,
                                                                                   const std::string& where) {
      T& target = c.*in_config.*member;
      const std::string* text = std::get_if<std::string>(&value.of);
      const std::optional<T> found = text ? find_value(names, *text) : std::nullopt;
      const Reader reader{full_name, where};
      if (text && !found)
        reader.reject("must be one of " + join(names_in(names)) +
                      (std::is_integral_v<T> ? ", or an integer" : ", or a number"));
      if (found) {
        target = *found;
        return;
      }
      reader.read(value, target);
      if (!range.has(target)) reader.reject(range.rule(target));
    };
    return key;
  }
  /// An enum, whose values have these names.
  template <class E, std::size_t N>
  Key& choice(const char* name, E Section::*member, const Named<E> (&names)[N], E before, const char* help) const {
    keys.push_back({.name = std::string(section) + "." + name,
                    .help = help,
                    .type = "name",
                    .choices = names_in(names),
                    .before = name_of(names, before)});
    Key& key = keys.back();
    key.get = [in_config = in_config, member, &names](const Config& c) -> Value {
      return name_of(names, c.*in_config.*member);
    };
    key.set = [in_config = in_config, member, &names, full_name = key.name](Config& c, const Value& value,
                                                                            const std::string& where) {
      const std::string* text = std::get_if<std::string>(&value.of);
      const std::optional<E> found = text ? find_value(names, *text) : std::nullopt;
      if (!found) Reader{full_name, where}.reject("must be one of " + join(names_in(names)));
      c.*in_config.*member = *found;
    };
    return key;
  }
};

}  // namespace diopter
