// Libraries that the kernels were linked with, for `diopter info`.
#pragma once

#include <string>

namespace diopter {

/// Library that multiplies matrices on the CPU: oneDNN and its version, or OpenBLAS's own description.
std::string blas_library();

/// oneTBB's version, e.g. "2021.8.0".
std::string threads_library();

namespace cuda {

/// The libraries behind convolutions on a GPU, e.g. "cuDNN 9.19.0, NVRTC 13.0". In builds by nvcc only.
std::string convolution_libraries();

}  // namespace cuda

}  // namespace diopter
