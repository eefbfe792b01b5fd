// The definition of a convolution, element by element, to compare with.
#pragma once

#include <initializer_list>
#include <string>

#include "kernels/nn/conv2d/conv2d.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter::test {

inline Levels levels_of(std::initializer_list<LevelShape> list) {
  Levels levels;
  for (const LevelShape& level : list) levels.level[levels.count++] = level;
  return levels;
}

struct Data {
  std::size_t x, w, y;
  explicit Data(const Conv2dShape& s)
      : x(s.in.rows() * s.in_channels),
        w(std::size_t(s.out_channels) * s.kernel * s.kernel * s.in_channels),
        y(s.out().rows() * s.out_channels) {}
};

/// Calls body(i, j, k) for every product x[i] w[j] that y[k] sums: the definition, element by element.
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

inline std::vector<double> plain_forward(const Conv2dShape& s, const std::vector<float>& x, const std::vector<float>& w) {
  std::vector<double> y(Data(s).y);
  for_each_product(s, [&](auto i, auto j, auto k) { y[k] += static_cast<double>(x[i]) * w[j]; });
  return y;
}

/// The gradients of the data and of the weights.
template <class T>
std::pair<std::vector<double>, std::vector<double>> plain_backward(const Conv2dShape& s, const std::vector<T>& dz,
                                                                   const std::vector<T>& x, const std::vector<T>& w) {
  std::vector<double> dx(Data(s).x), dw(Data(s).w);
  for_each_product(s, [&](auto i, auto j, auto k) {
    dx[i] += static_cast<double>(float(dz[k])) * float(w[j]);
    dw[j] += static_cast<double>(float(dz[k])) * float(x[i]);
  });
  return {dx, dw};
}

inline std::string name(const Conv2dShape& s) {
  return std::to_string(s.in.count) + " levels, first " + std::to_string(s.in.level[0].h) + "x" +
         std::to_string(s.in.level[0].w) + ", kernel " + std::to_string(s.kernel) + ", stride " +
         std::to_string(s.stride) + ", padding " + std::to_string(s.padding);
}

}  // namespace diopter::test
