// Nearest-neighbour upsampling of x [n, h, w, channels] to y [n, out_h, out_w, channels] (out >= in on both axes).
//
//   y[n, oy, ox] = x[n, floor(oy h / out_h), floor(ox w / out_w)]      in integers: no rounding question
//   dx = sum of dy over the pixels that were copied from here, added in y, x order
//
// Outputs are overwritten.
#pragma once

#include "kernels/common/bf16.h"
#include "kernels/common/host_device.h"
#include "kernels/common/levels.h"

DIOPTER_KERNEL(
  template <class T> void upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T* x, T* y);
  template <class T> void upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, T* dx))
