#include "kernels/base/parallel.h"

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>

#include <memory>
#include <optional>

#include "kernels/base/check.h"

namespace diopter {

namespace {
std::optional<tbb::global_control> thread_limit;
}  // namespace

void set_thread_count(int n) {
  DIOPTER_CHECK(n >= 1, "number of threads is ", n, ", must be at least 1");
  thread_limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(n));
}

int thread_count() {
  return thread_limit
             ? static_cast<int>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism))
             : tbb::info::default_concurrency();
}

void detail::run_chunks(std::int64_t chunks, void (*body)(void*, std::int64_t), void* context) {
  tbb::parallel_for(
      tbb::blocked_range<std::int64_t>(0, chunks),
      [&](const tbb::blocked_range<std::int64_t>& range) {
        for (std::int64_t chunk = range.begin(); chunk < range.end(); ++chunk) body(context, chunk);
      },
      tbb::simple_partitioner());
}

}  // namespace diopter
