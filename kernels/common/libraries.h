// What the kernels were linked with, for `diopter info`.
#pragma once

#include <string>

namespace diopter {

/// OpenBLAS's own description: version, build options and the processor it chose its kernels for.
std::string blas_library();

/// oneTBB's version, e.g. "2021.8.0".
std::string threads_library();

}  // namespace diopter
