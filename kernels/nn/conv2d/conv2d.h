// 2-D convolution (cross-correlation), channels last, over one or several feature maps with shared weights.
//
//   z[n, oy, ox, o] = sum over ky, kx, i of x[n, oy s - p + ky, ox s - p + kx, i] w[o, ky, kx, i]     (x = 0 outside)
//   y = relu(z * scale[o] + bias[o] + residual[n, oy, ox, o])                     each part of the epilogue optional
//
// Rounding. The CPU, and conv2d_epilogue, compute in float as written. On a GPU the scale is folded into the weights
// first (rounded to T), and where cuDNN or cuBLASLt fuse the epilogue, the order is z + residual + bias, the bias
// rounded to T: the order that they have compiled engines for.
//
//   dx = correlation of dz with the rotated weights,   dw[o, ky, kx, i] = sum over n, oy, ox of dz[...] x[...]
//
// Shapes: x [rows of in(), in_channels], w [out_channels, kernel, kernel, in_channels], y [rows of out(),
// out_channels]. Output size: floor((size + 2 padding - kernel) / stride) + 1, as in PyTorch. T is float or bf16;
// parameter gradients and scale/bias are float. Levels may be empty. Outputs are overwritten. Bits do not depend on the
// number of threads.
//
// Start here: kernels/plain/conv2d.h
#pragma once

#include <algorithm>

#include "kernels/base/least_work.h"
#include "kernels/nn/conv2d/conv2d_args.h"

DIOPTER_KERNEL(template <class T> void conv2d_forward(const Conv2dForwardArgs<T>& args);
               void conv2d_forward(const Conv2dForwardArgs<bf16, float>& args);
               template <class T> void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<T>& args);
               template <class T> void conv2d_backward_data(const Conv2dShape& shape, const T* dz, const T* w, T* dx);
               template <class T>
               void conv2d_backward_weight(const Conv2dShape& shape, const T* dz, const T* x, float* dw))

namespace diopter::cpu {

/// Whether 3x3 convolutions may be computed by winograd.h, several times as fast, with errors of some 1e-5 of the
/// largest value instead of some 1e-6. On at first.
void allow_winograd(bool allowed);

}  // namespace diopter::cpu

namespace diopter::cuda {

/// Whether float convolutions may round their inputs to TF32 (10 bits of mantissa, several times as fast). Off at
/// first.
void allow_tf32(bool allowed);

/// The epilogue by itself, for where cuDNN cannot fuse it: y from z [rows, channels]. z may be y.
template <class T>
void conv2d_epilogue(std::int64_t rows, int channels, const T* z, const Conv2dEpilogue<T>& epilogue, T* y);

/// Weights [out_channels, row] with a scale folded into them: result[o, i] = scale[o] w[o, i]. result may be w.
template <class T>
void conv2d_scaled_weights(int out_channels, int row, const T* w, const float* scale, T* result);

}  // namespace diopter::cuda

namespace diopter::least_work {

/// Each array once, and the operations of direct sums: Winograd's algorithm does with fewer.
template <class T>
LeastWork convolution(const Conv2dShape& shape, double weight_size, double output_size = sizeof(T)) {
  const double rows = static_cast<double>(shape.out().rows()), taps = static_cast<double>(shape.kernel) * shape.kernel;
  const double weights = taps * shape.in_channels * shape.out_channels;
  // A stride beyond the kernel leaves pixels of x unread.
  const double pixels = std::min(static_cast<double>(shape.in.rows()), taps * rows);
  return {
      .bytes = pixels * shape.in_channels * sizeof(T) + rows * shape.out_channels * output_size + weights * weight_size,
      .operations = 2 * rows * weights};
}
template <class T, class Y>
LeastWork conv2d_forward(const Conv2dForwardArgs<T, Y>& args) {
  LeastWork floor = convolution<T>(args.shape, sizeof(T), sizeof(Y));
  if (args.epilogue.residual) floor.bytes += passes<Y>(1, args.shape.out().rows() * args.shape.out_channels).bytes;
  return floor;
}
template <class T>
LeastWork conv2d_backward_data(const Conv2dShape& shape, const T*, const T*, const T*) {
  return convolution<T>(shape, sizeof(T));
}
template <class T>
LeastWork conv2d_backward_weight(const Conv2dShape& shape, const T*, const T*, const float*) {
  return convolution<T>(shape, sizeof(float));
}
template <class T>
LeastWork conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<T>& args) {
  return passes<T>(1 + (args.y != nullptr) + (args.dz != nullptr) + (args.dresidual != nullptr),
                   args.rows * args.channels);
}

}  // namespace diopter::least_work
