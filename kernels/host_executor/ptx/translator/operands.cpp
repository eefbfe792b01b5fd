#include "kernels/host_executor/ptx/translator/operands.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/host_executor/ptx/translator/names.h"

namespace diopter::ptx {

namespace {

bool begins_number(std::string_view text) {
  return !text.empty() && (std::isdigit(static_cast<unsigned char>(text.front())) || text.front() == '-');
}

}  // namespace

void Operands::unknown() const {
  std::string text = instruction_.opcode;
  for (std::size_t i = 0; i < instruction_.operands.size(); ++i) text += (i ? ", " : " ") + instruction_.operands[i];
  const auto file = module_.files.find(instruction_.place.file);
  fail(file == module_.files.end() ? kernel_.name : file->second, ":", instruction_.place.line, ": PTX '", text,
       "' is not known");
}

const std::string& Operands::operand(std::size_t i) const {
  if (i >= instruction_.operands.size()) unknown();
  return instruction_.operands[i];
}

void Operands::require_operands(std::size_t count) const {
  if (instruction_.operands.size() != count) unknown();
}

std::string Operands::read(std::string_view text, std::string_view type) const {
  const std::string wanted(type);
  if (text.starts_with('!')) return "!" + read(text.substr(1), type);
  if (const auto found = kernel_.registers.find(std::string(text)); found != kernel_.registers.end()) {
    const std::string name = cpp_name(text);
    return register_type(found->second) == type ? name : "as<" + wanted + ">(" + name + ")";
  }
  if (text.starts_with("0f")) return "as<" + wanted + ">(u32(0x" + std::string(text.substr(2)) + "))";
  if (text.starts_with("0d")) return "as<" + wanted + ">(u64(0x" + std::string(text.substr(2)) + "))";
  if (begins_number(text) && is_float(type)) unknown();
  return wanted + "(" + (begins_number(text) ? std::string(text) : symbol(text)) + ")";
}

/// What a name stands for: a built-in variable, or an address in the window of shared memory, or one of the host.
std::string Operands::symbol(std::string_view name) const {
  static const std::map<std::string_view, std::string> built_in = {
      {"%tid", "threadIdx"}, {"%ctaid", "blockIdx"}, {"%ntid", "blockDim"}, {"%nctaid", "gridDim"}};
  const std::size_t dot = std::min(name.find('.'), name.size());
  if (const auto found = built_in.find(name.substr(0, dot)); found != built_in.end()) {
    return found->second + std::string(name.substr(dot));
  }
  const std::vector<std::size_t> addresses = shared_addresses(kernel_);
  if (name == module_.dynamic_shared) return std::to_string(addresses.back());
  for (std::size_t i = 0; i < kernel_.shared.size(); ++i) {
    if (kernel_.shared[i].name == name) return std::to_string(addresses[i]);
  }
  std::size_t offset = 0;
  for (const Variable& parameter : kernel_.parameters) {
    offset = (offset + parameter.alignment - 1) / parameter.alignment * parameter.alignment;
    if (parameter.name == name) return "memory.parameters() + " + std::to_string(offset);
    offset += parameter.bytes;
  }
  for (const Variable& local : kernel_.local) {
    if (local.name == name) return "memory.local()";
  }
  unknown();
}

std::string Operands::set(const std::string& name, const std::string& type, const std::string& expression) const {
  if (name == "_") return "(void)(" + expression + ");";
  const auto found = kernel_.registers.find(name);
  if (found == kernel_.registers.end()) unknown();
  const std::string variable = register_type(found->second);
  if (variable == type) return cpp_name(name) + " = " + expression + ";";
  return cpp_name(name) + " = as<" + variable + ">(" + type + "(" + expression + "));";
}

std::string Operands::address(std::string text) const {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') unknown();
  text = text.substr(1, text.size() - 2);
  const std::size_t plus = text.find('+');
  const std::string base = text.substr(0, plus), offset = plus == text.npos ? "" : " + " + text.substr(plus + 1);
  const auto found = kernel_.registers.find(base);
  const bool narrow = found != kernel_.registers.end() && type_bytes(found->second) == 4;
  return "u64(" + read(base, narrow ? "u32" : "u64") + offset + ")";
}

}  // namespace diopter::ptx
