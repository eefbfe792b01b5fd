// Names in C++ for registers, labels and shared variables of PTX.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/host_executor/ptx/translator/module.h"

namespace diopter::ptx {

bool is_float(std::string_view type);

/// A register or a label as a name of C++.
std::string cpp_name(std::string_view name);

/// The type of the C++ variable for a register of this type: the bits of integers carry no sign.
std::string register_type(std::string_view type);

/// Addresses, in the window of shared memory, of the kernel's shared variables, and last that of its dynamic shared
/// memory.
std::vector<std::size_t> shared_addresses(const Kernel& kernel);

}  // namespace diopter::ptx
