// PTX as C++ that the host executor runs: a function for each kernel. Registers become variables, branches become goto,
// and each instruction becomes a statement on the line (#line) of the .cu file that it comes from; so reports of the
// executor, sanitizers and debuggers name that line. What an instruction means is in arithmetic.cpp and instructions.h.
#pragma once

#include <string>

#include "kernels/host_executor/ptx/translator/module.h"

namespace diopter::ptx {

/// A source file in C++. Throws Error "FILE:LINE: PTX 'INSTRUCTION' is not known" for any that is not.
std::string translate(const Module& module);

}  // namespace diopter::ptx
