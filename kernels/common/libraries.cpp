#include "kernels/common/libraries.h"

#include <cblas.h>
#include <tbb/version.h>

namespace diopter {

std::string blas_library() { return openblas_get_config(); }

std::string threads_library() { return std::string("oneTBB ") + TBB_runtime_version(); }

}  // namespace diopter
