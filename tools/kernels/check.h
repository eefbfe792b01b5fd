// Runs the tests of a kernel in every build folder there is.
#pragma once

#include <filesystem>

#include "tools/kernels/list.h"

namespace diopter {

/// The folder that holds the build folders of this checkout: that of this program is one of them.
std::filesystem::path build_folders();

/// Runs the kernel's tests through every BUILDS/*/tests/kernels_tests, those of the host executor in each thread order,
/// prints a line for each, and which presets of BUILDS/../CMakePresets.json are not built. True when all passed. Throws
/// Error when there is no test program at all, and, after the others have run, when one is older than its sources.
bool check_kernel(const KernelEntry& kernel, const std::filesystem::path& builds);

}  // namespace diopter
