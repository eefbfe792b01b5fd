// Nearest-neighbour upsampling, the shortest way. The fast versions: kernels/nn/upsample.{h,cpp,cu}.
//
//   y[n, oy, ox] = x[n, floor(oy h / out_h), floor(ox w / out_w)];  dx = sum of dy over the pixels copied from here
#pragma once

#include <algorithm>

#include "kernels/nn/upsample.h"

namespace diopter::plain {

/// Calls body(i, k) for every place k of y, which is copied from place i of x.
template <class Body>
void for_each_copy(LevelShape in, int channels, int out_h, int out_w, Body body) {
  std::int64_t k = 0;
  for (int n = 0; n < in.n; ++n)
    for (int oy = 0; oy < out_h; ++oy)
      for (int ox = 0; ox < out_w; ++ox)
        for (int c = 0; c < channels; ++c, ++k) {
          const int iy = oy * in.h / out_h, ix = ox * in.w / out_w;
          body(((std::int64_t{n} * in.h + iy) * in.w + ix) * channels + c, k);
        }
}

template <class T>
void upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T* x, T* y) {
  for_each_copy(in, channels, out_h, out_w, [&](std::int64_t i, std::int64_t k) { y[k] = x[i]; });
}

template <class T>
void upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, double* dx) {
  std::fill_n(dx, in.rows() * channels, 0.0);
  for_each_copy(in, channels, out_h, out_w, [&](std::int64_t i, std::int64_t k) { dx[i] += float(dy[k]); });
}

}  // namespace diopter::plain
