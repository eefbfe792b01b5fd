// Max pooling, the shortest way. The fast versions: kernels/nn/max_pool.{h,cpp,cu}.
//
//   y[n, oy, ox, c] = max over the window of x;  dx = sum of dy over the windows whose maximum lies here
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/nn/max_pool.h"

namespace diopter::plain {

/// Calls body(i, k, tap) for every place i of x in the window of place k of y, window after window in ky, kx order.
template <class Body>
void for_each_tap(const MaxPoolShape& s, Body body) {
  const LevelShape in = s.in, out = s.out();
  std::int64_t k = 0;
  for (int n = 0; n < out.n; ++n)
    for (int oy = 0; oy < out.h; ++oy)
      for (int ox = 0; ox < out.w; ++ox)
        for (int c = 0; c < s.channels; ++c, ++k)
          for (int tap = 0; tap < s.kernel * s.kernel; ++tap) {
            const int iy = oy * s.stride - s.padding + tap / s.kernel, ix = ox * s.stride - s.padding + tap % s.kernel;
            if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
            body(((std::int64_t{n} * in.h + iy) * in.w + ix) * s.channels + c, k, tap);
          }
}

/// The first of equals wins, a NaN wins over numbers.
template <class T>
void max_pool_forward(const MaxPoolShape& s, const T* x, T* y, std::uint8_t* tap) {
  std::int64_t window = -1;
  for_each_tap(s, [&](std::int64_t i, std::int64_t k, int here) {
    const float value = float(x[i]), best = k == window ? float(y[k]) : -INFINITY;
    if (k != window || value > best || (std::isnan(value) && !std::isnan(best))) {
      y[k] = x[i];
      tap[k] = static_cast<std::uint8_t>(here);
    }
    window = k;
  });
}

template <class T>
void max_pool_backward(const MaxPoolShape& s, const std::uint8_t* tap, const T* dy, double* dx) {
  std::fill_n(dx, s.in.rows() * s.channels, 0.0);
  for_each_tap(s, [&](std::int64_t i, std::int64_t k, int here) {
    if (tap[k] == here) dx[i] += float(dy[k]);
  });
}

}  // namespace diopter::plain
