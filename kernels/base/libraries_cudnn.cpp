#include <cudnn.h>
#include <nvrtc.h>

#include "kernels/base/libraries.h"

namespace diopter::cuda {

std::string convolution_libraries() {
  const std::size_t cudnn = cudnnGetVersion();  // 10000 times the major version, 100 times the minor one, the patch
  int major = 0, minor = 0;
  nvrtcVersion(&major, &minor);
  return "cuDNN " + std::to_string(cudnn / 10000) + "." + std::to_string(cudnn / 100 % 100) + "." +
         std::to_string(cudnn % 100) + ", NVRTC " + std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace diopter::cuda
