// Instructions of PTX that compute a value from values, each as an expression of C++.
#pragma once

#include <string>
#include <string_view>

namespace diopter::ptx {

/// Types are letters: T that of the instruction, U the same without sign, W with a sign like T and twice as wide,
/// D u32, P pred.
struct Form {
  char result;
  std::string_view operands;    // "TTP": two of the instruction's type and a predicate
  std::string_view expression;  // with operands $1, $2, ... and types $T, $U, $W
};

/// Null when there is no such instruction. `name` has the modifiers that choose an operation ("mul.wide"), but neither
/// type nor rounding.
const Form* find_form(std::string_view name, std::string_view type);

/// The type that a letter of a form stands for.
std::string type_of(char letter, std::string_view type);

}  // namespace diopter::ptx
