// Convolution, the shortest way: the definition, product by product, sums in double. The fast versions:
// kernels/nn/conv2d/.
//
//   z[n, oy, ox, o] = sum over ky, kx, i of x[n, oy s - p + ky, ox s - p + kx, i] w[o, ky, kx, i]     (x = 0 outside)
//   y = relu(z scale[o] + bias[o] + residual[n, oy, ox, o])
#pragma once

#include <algorithm>

#include "kernels/nn/conv2d/conv2d.h"

namespace diopter::plain {

/// Calls body(i, j, k) for every product x[i] w[j] that z[k] sums.
template <class Body>
void for_each_product(const Conv2dShape& s, Body body) {
  const Levels out_levels = s.out();
  for (int l = 0; l < s.in.count; ++l) {
    const LevelShape in = s.in.level[l], out = out_levels.level[l];
    for (int n = 0; n < in.n; ++n)
      for (int oy = 0; oy < out.h; ++oy)
        for (int ox = 0; ox < out.w; ++ox)
          for (int ky = 0; ky < s.kernel; ++ky)
            for (int kx = 0; kx < s.kernel; ++kx) {
              const int iy = oy * s.stride - s.padding + ky, ix = ox * s.stride - s.padding + kx;
              if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
              const std::int64_t in_row = s.in.offset(l) + (std::int64_t{n} * in.h + iy) * in.w + ix;
              const std::int64_t out_row = out_levels.offset(l) + (std::int64_t{n} * out.h + oy) * out.w + ox;
              for (int o = 0; o < s.out_channels; ++o)
                for (int i = 0; i < s.in_channels; ++i)
                  body(in_row * s.in_channels + i,
                       ((std::int64_t{o} * s.kernel + ky) * s.kernel + kx) * s.in_channels + i,
                       out_row * s.out_channels + o);
            }
  }
}

/// z [rows of out(), out_channels].
template <class T>
void conv2d(const Conv2dShape& s, const T* x, const T* w, double* z) {
  std::fill_n(z, s.out().rows() * s.out_channels, 0.0);
  for_each_product(s, [&](auto i, auto j, auto k) { z[k] += static_cast<double>(float(x[i])) * float(w[j]); });
}

/// The epilogue, z [rows, channels] in place.
template <class T>
void conv2d_epilogue(std::int64_t rows, int channels, const Conv2dEpilogue<T>& e, double* z) {
  for (std::int64_t i = 0; i < rows * channels; ++i) {
    if (e.scale) z[i] *= e.scale[i % channels];
    if (e.bias) z[i] += e.bias[i % channels];
    if (e.residual) z[i] += float(e.residual[i]);
    if (e.relu && z[i] < 0) z[i] = 0;
  }
}

/// dx [rows of in, in_channels].
template <class T>
void conv2d_backward_data(const Conv2dShape& s, const T* dz, const T* w, double* dx) {
  std::fill_n(dx, s.in.rows() * s.in_channels, 0.0);
  for_each_product(s, [&](auto i, auto j, auto k) { dx[i] += static_cast<double>(float(dz[k])) * float(w[j]); });
}

/// dw [out_channels, kernel, kernel, in_channels].
template <class T>
void conv2d_backward_weight(const Conv2dShape& s, const T* dz, const T* x, double* dw) {
  std::fill_n(dw, std::int64_t{s.out_channels} * s.kernel * s.kernel * s.in_channels, 0.0);
  for_each_product(s, [&](auto i, auto j, auto k) { dw[j] += static_cast<double>(float(dz[k])) * float(x[i]); });
}

}  // namespace diopter::plain
