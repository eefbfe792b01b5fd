// 3x3 convolutions of stride 1 on the CPU by minimal filtering, F(4x4, 3x3): Lavin and Gray 2016, "Fast Algorithms for
// Convolutional Neural Networks", after Winograd 1980. Tiles of 4x4 outputs are computed from 6x6 inputs with 36
// products a channel pair instead of 144:
//
//   Y = A^T [ sum over channels of (G g G^T) . (B^T d B) ] A         d: 6x6 inputs, g: 3x3 weights, . elementwise
//
// The sums over channels are 36 matrix products [tiles, in] x [in, out]. The gradient of the data is the same with
// rotated weights; that of the weights the transposed formula,
//
//   dg = G^T [ sum over tiles of (A dY A^T) . (B^T d B) ] G
//
// Rounding: errors of some 1e-6 to 2e-5 of the largest value, against some 1e-7 to 1e-6 of the direct sum.
#pragma once

#include "kernels/nn/conv2d/conv2d_args.h"

namespace diopter::cpu {

/// Whether a convolution is faster this way: by its shape alone, so that results do not depend on the
/// machine. Never where allow_winograd(false) was called.
bool winograd_pays(const Conv2dShape& shape);

/// As the functions of conv2d.h, for shapes with kernel 3 and stride 1.
template <class T>
void winograd_forward(const Conv2dForwardArgs<T>& args);
template <class T>
void winograd_backward_data(const Conv2dShape& shape, const T* dz, const T* w, T* dx);
template <class T>
void winograd_backward_weight(const Conv2dShape& shape, const T* dz, const T* x, float* dw);

}  // namespace diopter::cpu
