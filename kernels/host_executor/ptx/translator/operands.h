// Operands of an instruction of PTX in C++: expressions that read them, and statements that set them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "kernels/host_executor/ptx/translator/module.h"

namespace diopter::ptx {

/// Everything here throws the Error of unknown() for what is no such operand.
class Operands {
 public:
  Operands(const Module& module, const Kernel& kernel, const Instruction& instruction)
      : module_(module), kernel_(kernel), instruction_(instruction) {}

  /// Throws Error "FILE:LINE: PTX 'INSTRUCTION' is not known".
  [[noreturn]] void unknown() const;

  /// The text of the i-th.
  const std::string& operand(std::size_t i) const;
  void require_operands(std::size_t count) const;

  /// A register, a number or a name, as an expression of the type.
  std::string read(std::string_view text, std::string_view type) const;
  /// A statement that sets a register to an expression of the type.
  std::string set(const std::string& name, const std::string& type, const std::string& expression) const;
  /// "[%rd1+16]" as an expression of type u64.
  std::string address(std::string text) const;

 private:
  std::string symbol(std::string_view name) const;

  const Module& module_;
  const Kernel& kernel_;
  const Instruction& instruction_;
};

}  // namespace diopter::ptx
