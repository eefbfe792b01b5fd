#include "kernels/base/libraries.h"

#include <tbb/version.h>

namespace diopter {

std::string threads_library() { return std::string("oneTBB ") + TBB_runtime_version(); }

}  // namespace diopter
