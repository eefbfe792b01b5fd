// One instruction of PTX as a statement of C++.
#pragma once

#include <string>

#include "kernels/host_executor/ptx/translator/module.h"

namespace diopter::ptx {

/// Throws Error "FILE:LINE: PTX 'INSTRUCTION' is not known" for any that is not.
std::string statement_of(const Module& module, const Kernel& kernel, const Instruction& instruction);

}  // namespace diopter::ptx
