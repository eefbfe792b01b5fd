// Which kernels were launched, and how often, for the test that none is left out
// (tests/kernels/host_executor/unlaunched.sh).
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>

#include "kernels/host_executor/language.h"
#include "kernels/host_executor/options.h"

namespace diopter::host_executor {

namespace {

/// Written when the process ends: a line for each kernel, its address in bytes behind cudaGetLastError's, which nm's
/// list of the program turns into a name, and the number of launches.
struct Launches {
  std::mutex mutex;
  std::map<std::intptr_t, std::int64_t> counts;

  ~Launches() {
    std::FILE* file = std::fopen(options().launches, "w");
    if (!file) {
      std::perror(options().launches);
      return;
    }
    for (const auto& [place, count] : counts) {
      std::fprintf(file, "%lld %lld\n", static_cast<long long>(place), static_cast<long long>(count));
    }
    std::fclose(file);
  }
};

}  // namespace

void count_launch(const void* kernel) {
  if (!options().launches) return;
  static Launches launches;
  std::lock_guard lock(launches.mutex);
  ++launches.counts[reinterpret_cast<std::intptr_t>(kernel) - reinterpret_cast<std::intptr_t>(&cudaGetLastError)];
}

}  // namespace diopter::host_executor
