// Stands in for parallel.cpp in builds with ThreadSanitizer: everything runs on the calling thread, because reports are
// about CUDA threads there, and oneTBB as distributions build it gives false ones.
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

namespace {
int limit = 1;
}  // namespace

void set_thread_count(int n) {
  DIOPTER_CHECK(n >= 1, "number of threads is ", n, ", must be at least 1");
  limit = n;
}

int thread_count() { return limit; }

void detail::run_chunks(std::int64_t chunks, void (*body)(void*, std::int64_t), void* context) {
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
}

}  // namespace diopter
