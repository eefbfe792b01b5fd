#include "kernels/base/process.h"

#include <sys/resource.h>

namespace diopter {

double peak_resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace diopter
