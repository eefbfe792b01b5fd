// Least work of a kernel, which no version can avoid: profiles and `diopter kernels bench` judge times by it.
// x.h gives the floor of each of its kernels as a function of the same name and arguments in namespace least_work.
#pragma once

#include <cstdint>

namespace diopter {

struct LeastWork {
  double bytes = 0;       // that must be read and written in the device's memory
  double operations = 0;  // floating-point ones, where there are enough of them to count
};

}  // namespace diopter

namespace diopter::least_work {

/// `arrays` arrays of n values of type T read or written once.
template <class T>
constexpr LeastWork passes(double arrays, std::int64_t n) {
  return {.bytes = arrays * static_cast<double>(n) * sizeof(T)};
}

/// For functions that exist on both devices but are no work of theirs: profiles leave them out.
struct NoWork {
  template <class... Args>
  constexpr NoWork operator()(const Args&...) const {
    return {};
  }
};

}  // namespace diopter::least_work
