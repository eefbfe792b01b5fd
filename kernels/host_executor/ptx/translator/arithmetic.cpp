#include "kernels/host_executor/ptx/translator/arithmetic.h"

#include <map>

#include "kernels/host_executor/ptx/translator/module.h"

namespace diopter::ptx {

namespace {

using Forms = std::map<std::string_view, Form>;

const Forms kInteger = {
    {"add", {'U', "UU", "$1 + $2"}},
    {"sub", {'U', "UU", "$1 - $2"}},
    {"mul.lo", {'U', "UU", "u64($1) * $2"}},
    {"mul.wide", {'W', "TT", "$W($1) * $W($2)"}},
    {"mul.hi", {'T', "TT", "high_product($1, $2)"}},
    {"mad.lo", {'U', "UUU", "u64($1) * $2 + $3"}},
    {"mad.wide", {'W', "TTW", "$W($1) * $W($2) + $3"}},
    {"div", {'T', "TT", "quotient($1, $2)"}},
    {"rem", {'T', "TT", "remainder($1, $2)"}},
    {"neg", {'U', "U", "0 - $1"}},
    {"abs", {'T', "T", "$1 < 0 ? 0 - $1 : $1"}},
    {"min", {'T', "TT", "std::min($1, $2)"}},
    {"max", {'T', "TT", "std::max($1, $2)"}},
    {"and", {'U', "UU", "$1 & $2"}},
    {"or", {'U', "UU", "$1 | $2"}},
    {"xor", {'U', "UU", "$1 ^ $2"}},
    {"not", {'U', "U", "~$1"}},
    {"shl", {'U', "UD", "shifted_left($1, $2)"}},
    {"shr", {'T', "TD", "shifted_right($1, $2)"}},
    {"shf.l.wrap", {'U', "UUD", "funnel_left($1, $2, $3 & 31)"}},
    {"shf.r.wrap", {'U', "UUD", "funnel_right($1, $2, $3 & 31)"}},
    {"shf.l.clamp", {'U', "UUD", "funnel_left($1, $2, std::min($3, 32u))"}},
    {"shf.r.clamp", {'U', "UUD", "funnel_right($1, $2, std::min($3, 32u))"}},
    {"popc", {'D', "U", "std::popcount($1)"}},
    {"clz", {'D', "U", "std::countl_zero($1)"}},
    {"brev", {'U', "U", "reversed($1)"}},
    {"bfind", {'D', "T", "highest_bit($1)"}},
    {"bfind.shiftamt", {'D', "T", "shift_of_highest_bit($1)"}},
    {"bfi", {'U', "UUDD", "bits_inserted($1, $2, $3, $4)"}},
    {"bfe", {'T', "TDD", "bits_extracted($1, $2, $3)"}},
    {"prmt", {'U', "UUD", "permuted($1, $2, $3)"}},
    {"lop3", {'U', "UUUD", "combined($1, $2, $3, $4)"}},
    {"selp", {'T', "TTP", "$3 ? $1 : $2"}},
    {"activemask", {'U', "", "active_lanes()"}},
};

const Forms kFloat = {
    {"add", {'T', "TT", "$1 + $2"}},
    {"sub", {'T', "TT", "$1 - $2"}},
    {"mul", {'T', "TT", "$1 * $2"}},
    {"div", {'T', "TT", "$1 / $2"}},
    {"fma", {'T', "TTT", "std::fma($1, $2, $3)"}},
    {"mad", {'T', "TTT", "std::fma($1, $2, $3)"}},
    {"neg", {'T', "T", "-$1"}},
    {"abs", {'T', "T", "std::fabs($1)"}},
    {"min", {'T', "TT", "minimum($1, $2)"}},
    {"max", {'T', "TT", "maximum($1, $2)"}},
    {"copysign", {'T', "TT", "std::copysign($2, $1)"}},
    {"sqrt", {'T', "T", "std::sqrt($1)"}},
    {"rcp", {'T', "T", "1 / $1"}},
    {"selp", {'T', "TTP", "$3 ? $1 : $2"}},
};

// The special-function unit. PTX ISA, chapter 9.7.3, says how far each may be off; here by what the environment asks
// for.
const Forms kApproximate = {
    {"rcp.approx", {'T', "T", "approximate(1.0 / $1)"}},
    {"div.approx", {'T', "TT", "approximate(f64($1) / $2)"}},
    {"div.full", {'T', "TT", "approximate(f64($1) / $2)"}},
    {"sqrt.approx", {'T', "T", "approximate(std::sqrt(f64($1)))"}},
    {"rsqrt.approx", {'T', "T", "approximate(1.0 / std::sqrt(f64($1)))"}},
    {"ex2.approx", {'T', "T", "approximate_exp2($1)"}},
    {"lg2.approx", {'T', "T", "approximate(std::log2(f64($1)))"}},
    {"sin.approx", {'T', "T", "approximate(std::sin(f64($1)))"}},
    {"cos.approx", {'T', "T", "approximate(std::cos(f64($1)))"}},
    {"tanh.approx", {'T', "T", "approximate(std::tanh(f64($1)))"}},
};

const Forms kPredicate = {
    {"and", {'P', "PP", "$1 & $2"}},
    {"or", {'P', "PP", "$1 | $2"}},
    {"xor", {'P', "PP", "$1 != $2"}},
    {"not", {'P', "P", "!$1"}},
};

const Form* find_in(const Forms& forms, std::string_view name) {
  const auto found = forms.find(name);
  return found == forms.end() ? nullptr : &found->second;
}

}  // namespace

const Form* find_form(std::string_view name, std::string_view type) {
  if (type == "pred") return find_in(kPredicate, name);
  if (type == "f32" || type == "f64") {
    const Form* exact = find_in(kFloat, name);
    return exact || type == "f64" ? exact : find_in(kApproximate, name);
  }
  return type_bytes(type) > 0 ? find_in(kInteger, name) : nullptr;
}

std::string type_of(char letter, std::string_view type) {
  const auto bits = [&](std::size_t factor) { return std::to_string(8 * factor * type_bytes(type)); };
  switch (letter) {
    case 'U': return "u" + bits(1);
    case 'W': return (type.front() == 's' ? "s" : "u") + bits(2);
    case 'D': return "u32";
    case 'P': return "pred";
    default: return std::string(type);
  }
}

}  // namespace diopter::ptx
