// Shapes and arguments of the convolutions of conv2d.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

struct Conv2dShape {
  Levels in;
  int in_channels, out_channels;
  int kernel;  // height and width
  int stride = 1;
  int padding = 0;

  DIOPTER_HD int out_size(int size) const { return (size + 2 * padding - kernel) / stride + 1; }
  DIOPTER_HD Levels out() const {
    Levels result = in;
    for (int l = 0; l < in.count; ++l) {
      result.level[l].h = out_size(in.level[l].h);
      result.level[l].w = out_size(in.level[l].w);
    }
    return result;
  }
};

/// Throws Error for a shape that makes no sense.
void validate(const Conv2dShape& shape);

/// Epilogue: steps from z to what is stored; null pointers leave a step out.
template <class T>
struct Conv2dEpilogue {
  const float* scale = nullptr;  // [out_channels], a frozen norm
  const float* bias = nullptr;   // [out_channels]
  const T* residual = nullptr;   // as y; may be y itself
  bool relu = false;

  DIOPTER_HD float lowest() const { return relu ? 0.0f : -INFINITY; }  // result
};

/// The epilogue's formula: z scale + bias + residual (if there is one), at least `lowest`. NaN stays NaN.
template <class... Residual>
DIOPTER_HD float conv2d_result(float lowest, float z, float scale, float bias, Residual... residual) {
  const float value = ((z * scale + bias) + ... + residual);
  return value < lowest ? lowest : value;
}

/// Y is T, or float where results of bf16 inputs are not to be rounded.
template <class T, class Y = T>
struct Conv2dForwardArgs {
  Conv2dShape shape;
  const T* x;
  const T* w;
  Y* y;
  Conv2dEpilogue<Y> epilogue = {};
};

/// Gradient through the epilogue: dz = dy [y > 0] scale, dresidual = dy [y > 0], dbias = column sums of dy [y > 0].
template <class T>
struct Conv2dEpilogueBackwardArgs {
  std::int64_t rows;
  int channels;
  const T* y = nullptr;  // null: no relu
  const float* scale = nullptr;
  const T* dy;
  T* dz = nullptr;  // the outputs are optional; dz and dresidual may be dy itself
  T* dresidual = nullptr;
  float* dbias = nullptr;  // [channels]
};

}  // namespace diopter
