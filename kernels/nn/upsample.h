// Nearest-neighbour upsampling of x [n, h, w, channels] to y [n, out_h, out_w, channels] (out >= in on both axes).
//
//   y[n, oy, ox] = x[n, floor(oy h / out_h), floor(ox w / out_w)]      in integers: no rounding question
//   dx = sum of dy over the pixels that were copied from here, added in y, x order
//
// Outputs are overwritten.
//
// Start here: kernels/plain/upsample.h
#pragma once

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

/// Throws Error for sizes between which nothing can be upsampled.
void validate_upsample(const LevelShape& in, int out_h, int out_w);

/// The position that output position o is copied from, along one axis.
DIOPTER_HD inline int upsample_source(int o, int size, int out_size) {
  return static_cast<int>(std::int64_t{o} * size / out_size);
}

/// The first output position whose source is at or after `source`: the smallest o with floor(o size / out_size) >=
/// source.
DIOPTER_HD inline int upsample_first_copy(int source, int size, int out_size) {
  return static_cast<int>((std::int64_t{source} * out_size + size - 1) / size);
}

}  // namespace diopter

DIOPTER_KERNEL(template <class T>
               void upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T* x, T* y);
               template <class T>
               void upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, T* dx))

namespace diopter::least_work {

template <class T>
LeastWork upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T*, const T*) {
  return passes<T>(1, (in.rows() + std::int64_t{in.n} * out_h * out_w) * channels);
}
template <class T>
LeastWork upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, const T* dx) {
  return upsample_forward(in, channels, out_h, out_w, dx, dy);
}

}  // namespace diopter::least_work
