// Shapes and arrays that the tests of convolutions share; kernels/plain/conv2d.h is what they compare with.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "kernels/plain/conv2d.h"
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

template <class T>
std::vector<double> plain_forward(const Conv2dShape& s, const std::vector<T>& x, const std::vector<T>& w) {
  std::vector<double> y(Data(s).y);
  plain::conv2d(s, x.data(), w.data(), y.data());
  return y;
}

/// The gradients of the data and of the weights.
template <class T>
std::pair<std::vector<double>, std::vector<double>> plain_backward(const Conv2dShape& s, const std::vector<T>& dz,
                                                                   const std::vector<T>& x, const std::vector<T>& w) {
  std::vector<double> dx(Data(s).x), dw(Data(s).w);
  plain::conv2d_backward_data(s, dz.data(), w.data(), dx.data());
  plain::conv2d_backward_weight(s, dz.data(), x.data(), dw.data());
  return {dx, dw};
}

inline std::string name(const Conv2dShape& s) {
  return std::to_string(s.in.count) + " levels, first " + std::to_string(s.in.level[0].h) + "x" +
         std::to_string(s.in.level[0].w) + ", kernel " + std::to_string(s.kernel) + ", stride " +
         std::to_string(s.stride) + ", padding " + std::to_string(s.padding);
}

}  // namespace diopter::test
