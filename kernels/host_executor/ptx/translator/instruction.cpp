#include "kernels/host_executor/ptx/translator/instruction.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "kernels/host_executor/ptx/translator/arithmetic.h"
#include "kernels/host_executor/ptx/translator/names.h"
#include "kernels/host_executor/ptx/translator/operands.h"
#include "kernels/host_executor/ptx/translator/words.h"

namespace diopter::ptx {

namespace {

class InstructionWriter : Operands {
 public:
  InstructionWriter(const Module& module, const Kernel& kernel, const Instruction& instruction)
      : Operands(module, kernel, instruction),
        instruction_(instruction),
        modifiers_(split_at(instruction.opcode, '.')) {
    name_ = modifiers_.front();
    modifiers_.erase(modifiers_.begin());
    if (!modifiers_.empty()) type_ = modifiers_.back();
  }

  /// One or more statements of C++.
  std::string write() {
    const std::string statement = unguarded();
    if (instruction_.guard.empty()) return statement;
    return "if (" + read(instruction_.guard, "pred") + ") { " + statement + " }";
  }

 private:
  std::string unguarded() {
    using Method = std::string (InstructionWriter::*)();
    static const std::map<std::string_view, Method> methods = {
        {"ld", &InstructionWriter::load},     {"st", &InstructionWriter::store},
        {"atom", &InstructionWriter::atomic}, {"red", &InstructionWriter::atomic},
        {"mov", &InstructionWriter::move},    {"cvta", &InstructionWriter::convert_address},
        {"cvt", &InstructionWriter::convert}, {"setp", &InstructionWriter::compare},
        {"bra", &InstructionWriter::branch},  {"ret", &InstructionWriter::leave},
        {"exit", &InstructionWriter::leave},  {"trap", &InstructionWriter::stop},
        {"bar", &InstructionWriter::barrier}, {"membar", &InstructionWriter::fence},
        {"fence", &InstructionWriter::fence}, {"shfl", &InstructionWriter::shuffle},
        {"vote", &InstructionWriter::vote},   {"match", &InstructionWriter::match},
        {"redux", &InstructionWriter::reduce}};
    const auto method = methods.find(name_);
    return method == methods.end() ? arithmetic() : (this->*method->second)();
  }

  // ---- Memory -----------------------------------------------------------------------------------------------------

  /// Where an instruction finds its memory: a pointer to so many bytes, checked at run time.
  std::string pointer(Words& modifiers, const std::string& text, std::size_t bytes) const {
    Words space = take(modifiers, {"global", "shared", "local", "param"});
    if (space.size() > 1) unknown();
    if (space.empty()) space = {"generic"};
    return "memory." + space[0] + "(" + address(text) + ", " + std::to_string(bytes) + ")";
  }

  /// Removes the modifiers that mean nothing here, and the width of vectors; whatever is left then is not known.
  std::size_t take_vector(Words& modifiers) const {
    take(modifiers, {"nc", "ca", "cg", "cs", "cv", "lu", "wb", "wt", "volatile", "relaxed", "weak", "cta", "gpu", "sys",
                     "L1::no_allocate", "L1::evict_first", "L1::evict_last"});
    const Words width = take(modifiers, {"v2", "v4", "v8"});
    return width.empty() ? 1 : static_cast<std::size_t>(width[0][1] - '0');
  }

  Words without_type() const { return Words(modifiers_.begin(), modifiers_.end() - (modifiers_.empty() ? 0 : 1)); }

  std::string load() {
    require_operands(2);
    Words modifiers = without_type();
    const std::size_t count = take_vector(modifiers), bytes = type_bytes(type_);
    const Words targets = elements(operand(0));
    const std::string place = pointer(modifiers, operand(1), count * bytes);
    if (!modifiers.empty() || bytes == 0 || targets.size() != count) unknown();
    std::string text = "{ auto* const at = " + place + ";";
    for (std::size_t i = 0; i < count; ++i) {
      text += " " + set(targets[i], type_, "loaded<" + type_ + ">(at + " + std::to_string(i * bytes) + ")");
    }
    return text + " }";
  }

  std::string store() {
    require_operands(2);
    Words modifiers = without_type();
    const std::size_t count = take_vector(modifiers), bytes = type_bytes(type_);
    const Words values = elements(operand(1));
    const std::string place = pointer(modifiers, operand(0), count * bytes);
    if (!modifiers.empty() || bytes == 0 || values.size() != count) unknown();
    std::string text = "{ auto* const at = " + place + ";";
    for (std::size_t i = 0; i < count; ++i) {
      text += " store<" + type_ + ">(at + " + std::to_string(i * bytes) + ", " + read(values[i], type_) + ");";
    }
    return text + " }";
  }

  /// Atomic operations are those of the executor, under CUDA's names and types.
  std::string atomic() {
    static const std::map<std::string_view, std::string> functions = {
        {"add", "atomicAdd"}, {"min", "atomicMin"},   {"max", "atomicMax"}, {"and", "atomicAnd"}, {"or", "atomicOr"},
        {"xor", "atomicXor"}, {"exch", "atomicExch"}, {"cas", "atomicCAS"}, {"inc", "atomicInc"}, {"dec", "atomicDec"}};
    static const std::map<std::string_view, std::string> types = {
        {"b32", "unsigned"},           {"u32", "unsigned"},           {"s32", "int"},       {"f32", "float"},
        {"b64", "unsigned long long"}, {"u64", "unsigned long long"}, {"s64", "long long"}, {"f64", "double"}};
    Words modifiers = without_type();
    take(modifiers, {"relaxed", "cta", "gpu", "sys"});
    const bool has_result = name_ == "atom";
    const std::size_t first = has_result ? 1 : 0;
    const std::string place = pointer(modifiers, operand(first), type_bytes(type_));
    const auto type = types.find(type_);
    if (modifiers.size() != 1 || !functions.contains(modifiers[0]) || type == types.end()) unknown();
    std::string call = functions.at(modifiers[0]) + "(reinterpret_cast<" + type->second + "*>(" + place + ")";
    for (std::size_t i = first + 1; i < instruction_.operands.size(); ++i) call += ", " + read(operand(i), type_);
    return has_result ? set(operand(0), type_, call + ")") : call + ");";
  }

  std::string convert_address() {
    require_operands(2);
    const Words modifiers = without_type();
    const std::string value = read(operand(1), type_);
    // Addresses in global and local memory are generic addresses.
    for (const char* space : {"global", "local"}) {
      if (modifiers == Words{space} || modifiers == Words{"to", space}) return set(operand(0), type_, value);
    }
    if (modifiers == Words{"shared"}) return set(operand(0), type_, "memory.generic_of_shared(" + value + ")");
    if (modifiers == Words{"to", "shared"}) return set(operand(0), type_, "memory.shared_of_generic(" + value + ")");
    unknown();
  }

  // ---- Values -----------------------------------------------------------------------------------------------------

  std::string move() {
    require_operands(2);
    if (modifiers_.size() != 1 || type_bytes(type_) == 0) unknown();
    const Words targets = elements(operand(0)), sources = elements(operand(1));
    if (targets.size() == 1 && sources.size() == 1) return set(operand(0), type_, read(operand(1), type_));
    // The first element of a vector is the lowest part.
    const std::size_t parts = std::max(targets.size(), sources.size()), bits = 8 * type_bytes(type_) / parts;
    const std::string whole = "u" + std::to_string(parts * bits), part = "u" + std::to_string(bits);
    if (targets.size() == 1) {
      std::string value;
      for (std::size_t i = 0; i < parts; ++i) {
        value += (i ? " | " : "") + whole + "(" + read(sources[i], part) + ") << " + std::to_string(i * bits);
      }
      return set(operand(0), whole, value);
    }
    std::string text = "{ const " + whole + " all = " + read(operand(1), whole) + ";";
    for (std::size_t i = 0; i < parts; ++i) {
      text += " " + set(targets[i], part, part + "(all >> " + std::to_string(i * bits) + ")");
    }
    return text + " }";
  }

  /// What arithmetic.cpp knows.
  std::string arithmetic() {
    const bool floating = is_float(type_);
    Words modifiers = without_type();
    const Words rounding = floating ? take(modifiers, {"rn", "rz", "rm", "rp"}) : Words{};
    const bool flushes = floating && !take(modifiers, {"ftz"}).empty();
    const bool saturates = floating && !take(modifiers, {"sat"}).empty();
    std::string name = name_;
    for (const std::string& modifier : modifiers) name += "." + modifier;
    const Form* form = find_form(name, type_);
    if (!form || rounding.size() > 1) unknown();
    require_operands(form->operands.size() + 1);

    Words values;
    for (std::size_t i = 0; i < form->operands.size(); ++i) {
      const std::string type = type_of(form->operands[i], type_), value = read(operand(i + 1), type);
      values.push_back(flushes && is_float(type) ? "flushed(" + value + ")" : value);
    }
    std::string value =
        directed(rounding) ? directed_call(*form, values, rounding[0]) : substituted(form->expression, values);
    if (saturates) value = "saturated(" + value + ")";
    if (flushes) value = "flushed(" + value + ")";
    return set(operand(0), type_of(form->result, type_), value);
  }

  static bool directed(const Words& rounding) { return !rounding.empty() && rounding[0] != "rn"; }

  /// The expression with operands and types in the places of $1 and $T.
  std::string substituted(std::string_view expression, const Words& values) const {
    std::string text;
    for (std::size_t i = 0; i < expression.size(); ++i) {
      if (expression[i] != '$') {
        text.push_back(expression[i]);
        continue;
      }
      const char next = expression[++i];
      text += std::isdigit(static_cast<unsigned char>(next)) ? values.at(static_cast<std::size_t>(next - '1'))
                                                             : type_of(next, type_);
    }
    return text;
  }

  /// The same with another rounding than to nearest.
  std::string directed_call(const Form& form, const Words& values, std::string_view rounding) const {
    static const std::map<std::string_view, std::string> modes = {
        {"rz", "FE_TOWARDZERO"}, {"rm", "FE_DOWNWARD"}, {"rp", "FE_UPWARD"}};
    std::string parameters, arguments;
    Words names;
    for (std::size_t i = 0; i < values.size(); ++i) {
      names.push_back("v" + std::to_string(i));
      parameters += (i ? ", " : "") + type_ + " " + names.back();
      arguments += ", " + values[i];
    }
    return "rounded(" + modes.at(rounding) + ", [](" + parameters + ") -> " + type_ + " { return " +
           substituted(form.expression, names) + "; }" + arguments + ")";
  }

  std::string convert() {
    if (modifiers_.size() < 2) unknown();
    const std::string to = modifiers_[modifiers_.size() - 2], from = type_;
    const Words flags(modifiers_.begin(), modifiers_.end() - 2);
    if (from == "f32" && to.starts_with("bf16")) return convert_to_bf16(to, flags);
    require_operands(2);
    if (from == "bf16" && to == "f32" && flags.empty()) {
      return set(operand(0), "f32", "as<f32>(u32(" + read(operand(1), "u16") + ") << 16)");
    }
    if (type_bytes(from) == 0 || type_bytes(to) == 0) unknown();
    std::string value = read(operand(1), from);
    if (is_float(from)) value = rounded_value(value, to, flags);
    if (is_float(from) && !is_float(to)) {
      value = "to_integer<" + to + ">(" + value + ")";
    } else if (from != to) {
      const bool exact = is_float(to) ? type_bytes(to) > type_bytes(from) : !is_float(from);
      if (!(exact ? flags.empty() || flags == Words{"rn"} || flags == Words{"ftz"} : contains(flags, "rn"))) unknown();
      value = to + "(" + value + ")";
    }
    if (contains(flags, "sat")) value = "saturated(" + value + ")";
    if (contains(flags, "ftz") && to == "f32") value = "flushed(" + value + ")";
    return set(operand(0), to, value);
  }

  /// A floating-point source, flushed and rounded to an integer as the flags say.
  std::string rounded_value(std::string value, const std::string& to, const Words& flags) const {
    static const std::map<std::string_view, std::string> functions = {
        {"rni", "std::nearbyint"}, {"rzi", "std::trunc"}, {"rmi", "std::floor"}, {"rpi", "std::ceil"}};
    bool to_integer = false;
    for (const std::string& flag : flags) {
      if (flag == "ftz" && type_ == "f32") value = "flushed(" + value + ")";
    }
    for (const std::string& flag : flags) {
      if (const auto found = functions.find(flag); found != functions.end()) {
        value = found->second + "(" + value + ")";
        to_integer = true;
      } else if (flag != "ftz" && !(is_float(to) && (flag == "sat" || flag == "rn"))) {
        unknown();
      }
    }
    if (!to_integer && !is_float(to)) unknown();
    return value;
  }

  /// Two floats become the upper and the lower half of a bf16x2.
  std::string convert_to_bf16(const std::string& to, const Words& flags) const {
    if (flags != Words{"rn"} && flags != Words{"rz"}) unknown();
    const std::string function = flags[0] == "rn" ? "nearest_bf16" : "truncated_bf16";
    const auto half = [&](std::size_t i) { return function + "(" + read(operand(i), "f32") + ")"; };
    if (to == "bf16") {
      require_operands(2);
      return set(operand(0), "u16", half(1));
    }
    require_operands(3);
    if (to != "bf16x2") unknown();
    return set(operand(0), "u32", "u32(" + half(1) + ") << 16 | " + half(2));
  }

  std::string compare() {
    Words modifiers = without_type();
    const bool flushes = !take(modifiers, {"ftz"}).empty();
    const Words combine = take(modifiers, {"and", "or", "xor"});
    if (modifiers.size() != 1 || combine.size() > 1 || type_bytes(type_) == 0) unknown();
    require_operands(combine.empty() ? 3 : 4);
    std::string a = read(operand(1), type_), b = read(operand(2), type_);
    if (flushes) a = "flushed(" + a + ")", b = "flushed(" + b + ")";
    const Words targets = split_at(operand(0), '|');
    std::string text = "{ const pred yes = " + comparison(modifiers[0], {a, b}) + ";";
    if (!combine.empty()) text += " const pred c = " + read(operand(3), "pred") + ";";
    const std::string sign = combine.empty() ? "" : combine[0] == "and" ? " & c" : combine[0] == "or" ? " | c" : " ^ c";
    text += " " + set(targets[0], "pred", "yes" + sign);
    if (targets.size() > 1) text += " " + set(targets[1], "pred", "!yes" + sign);
    return text + " }";
  }

  /// With floating-point operands, "lt" is false for a NaN and "ltu" is true.
  std::string comparison(const std::string& how, const Words& values) const {
    static const std::map<std::string_view, std::string_view> integer = {
        {"eq", "$1 == $2"}, {"ne", "$1 != $2"}, {"lt", "$1 < $2"},  {"le", "$1 <= $2"}, {"gt", "$1 > $2"},
        {"ge", "$1 >= $2"}, {"lo", "$1 < $2"},  {"ls", "$1 <= $2"}, {"hi", "$1 > $2"},  {"hs", "$1 >= $2"}};
    static const std::map<std::string_view, std::string_view> floating = {{"eq", "$1 == $2"},
                                                                          {"equ", "!($1 < $2 || $1 > $2)"},
                                                                          {"ne", "$1 < $2 || $1 > $2"},
                                                                          {"neu", "$1 != $2"},
                                                                          {"lt", "$1 < $2"},
                                                                          {"ltu", "!($1 >= $2)"},
                                                                          {"le", "$1 <= $2"},
                                                                          {"leu", "!($1 > $2)"},
                                                                          {"gt", "$1 > $2"},
                                                                          {"gtu", "!($1 <= $2)"},
                                                                          {"ge", "$1 >= $2"},
                                                                          {"geu", "!($1 < $2)"},
                                                                          {"num", "$1 == $1 && $2 == $2"},
                                                                          {"nan", "$1 != $1 || $2 != $2"}};
    const auto& table = is_float(type_) ? floating : integer;
    const auto found = table.find(how);
    if (found == table.end()) unknown();
    return substituted(found->second, values);
  }

  // ---- Control and other threads ----------------------------------------------------------------------------------

  std::string branch() {
    require_operands(1);
    if (!modifiers_.empty() && modifiers_ != Words{"uni"}) unknown();
    return "goto " + cpp_name(operand(0)) + ";";
  }
  std::string leave() { return "return;"; }
  std::string stop() { return "trap(here());"; }
  std::string fence() {
    Words modifiers = modifiers_;
    take(modifiers, {"sc", "acq_rel", "cta", "gl", "gpu", "sys"});
    if (!modifiers.empty()) unknown();
    return "fence();";
  }

  std::string barrier() {
    if (modifiers_ == Words{"warp", "sync"}) return "warp_barrier(" + read(operand(0), "u32") + ");";
    if (modifiers_ == Words{"sync"}) {
      require_operands(1);
      if (operand(0) != "0") unknown();
      return "block_barrier(BarrierKind::plain);";
    }
    static const std::map<std::string_view, std::string> kinds = {{"popc", "count"}, {"and", "all"}, {"or", "any"}};
    require_operands(3);
    if (modifiers_.size() != 3 || modifiers_[0] != "red" || !kinds.contains(modifiers_[1]) || operand(1) != "0")
      unknown();
    return set(operand(0), type_,
               "block_barrier(BarrierKind::" + kinds.at(modifiers_[1]) + ", " + read(operand(2), "pred") + ")");
  }

  std::string shuffle() {
    static const std::map<std::string_view, std::string> modes = {
        {"bfly", "shuffle_xor"}, {"idx", "shuffle"}, {"up", "shuffle_up"}, {"down", "shuffle_down"}};
    require_operands(5);
    if (modifiers_.size() != 3 || modifiers_[0] != "sync" || !modes.contains(modifiers_[1])) unknown();
    const Words targets = split_at(operand(0), '|');
    std::string text = "{ const Shuffled shuffled = warp_shuffle(WarpOperation::" + modes.at(modifiers_[1]);
    for (std::size_t i = 1; i < 5; ++i) text += ", " + read(operand(i), "u32");
    text += "); " + set(targets[0], "u32", "shuffled.value");
    if (targets.size() > 1) text += " " + set(targets[1], "pred", "shuffled.in_range");
    return text + " }";
  }

  std::string vote() {
    require_operands(3);
    const std::string vote = read(operand(1), "pred"), mask = read(operand(2), "u32");
    if (modifiers_ == Words{"sync", "ballot", "b32"})
      return set(operand(0), "u32", "ballot(" + mask + ", " + vote + ")");
    if (modifiers_ == Words{"sync", "any", "pred"}) {
      return set(operand(0), "pred", "ballot(" + mask + ", " + vote + ") != 0");
    }
    if (modifiers_ == Words{"sync", "all", "pred"}) {
      return set(operand(0), "pred", "ballot(" + mask + ", !(" + vote + ")) == 0");
    }
    unknown();
  }

  std::string match() {
    require_operands(3);
    if (modifiers_.size() != 3 || modifiers_[0] != "any" || modifiers_[1] != "sync") unknown();
    return collective("match", type_);
  }

  std::string reduce() {
    static const std::map<std::string_view, std::string> operations = {{"add", "add"},     {"and", "bit_and"},
                                                                       {"or", "bit_or"},   {"xor", "bit_xor"},
                                                                       {"min", "minimum"}, {"max", "maximum"}};
    require_operands(3);
    if (modifiers_.size() != 3 || modifiers_[0] != "sync" || !operations.contains(modifiers_[1])) unknown();
    const bool is_signed = type_ == "s32" && (modifiers_[1] == "min" || modifiers_[1] == "max");
    return collective((is_signed ? "signed_" : "") + operations.at(modifiers_[1]), "u32");
  }

  std::string collective(const std::string& operation, const std::string& type) const {
    return set(operand(0), "u32",
               "warp_collective(WarpOperation::" + operation + ", " + read(operand(1), type) + ", " +
                   read(operand(2), "u32") + ")");
  }

  const Instruction& instruction_;
  std::string name_, type_;  // "ld" and "f32" of "ld.global.v4.f32"
  Words modifiers_;          // with the type
};

}  // namespace

std::string statement_of(const Module& module, const Kernel& kernel, const Instruction& instruction) {
  return InstructionWriter(module, kernel, instruction).write();
}

}  // namespace diopter::ptx
