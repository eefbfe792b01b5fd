// Max pooling, channels last: y[n, oy, ox, c] = max over the window of x, windows reaching over the edge are cut.
//
//   dx = sum of dy over the windows whose maximum lies here
//
// `tap` keeps for each output which window position (ky * kernel + kx) held the maximum; the first in ky, kx order wins
// a tie; a NaN wins over numbers. Output size as for conv2d. kernel <= 15, padding <= kernel / 2. Outputs are
// overwritten.
//
// Start here: kernels/plain/max_pool.h
#pragma once

#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

struct MaxPoolShape {
  LevelShape in;
  int channels;
  int kernel, stride, padding;

  DIOPTER_HD LevelShape out() const {
    return {in.n, (in.h + 2 * padding - kernel) / stride + 1, (in.w + 2 * padding - kernel) / stride + 1};
  }
};

/// Throws Error for a shape that cannot be pooled.
void validate(const MaxPoolShape& shape);

/// Whether a later value of a window takes the place of the best so far: larger, or a NaN over a number.
DIOPTER_HD inline bool max_pool_replaces(float value, float best) { return !(value <= best) && best == best; }

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void max_pool_forward(const MaxPoolShape& shape, const T* x, T* y, std::uint8_t* tap);
               template <class T>
               void max_pool_backward(const MaxPoolShape& shape, const std::uint8_t* tap, const T* dy, T* dx))

namespace diopter::least_work {

template <class T>
LeastWork max_pool_forward(const MaxPoolShape& shape, const T*, const T*, const std::uint8_t*) {
  const double in = static_cast<double>(shape.in.rows()), out = static_cast<double>(shape.out().rows());
  return {.bytes = shape.channels * (in * sizeof(T) + out * (sizeof(T) + 1))};
}
template <class T>
LeastWork max_pool_backward(const MaxPoolShape& shape, const std::uint8_t* tap, const T* dy, const T* dx) {
  return max_pool_forward(shape, dx, dy, tap);
}

}  // namespace diopter::least_work
