#include "data/pictures/bilinear.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/nn/pictures.h"

namespace diopter {

BilinearAxis::BilinearAxis(int in, int out, int begin, int count) : low(count), high(count), weight(count) {
  for (int i = 0; i < count; ++i) {
    const AxisTap tap = axis_tap(in, out, begin + i);
    low[i] = tap.low;
    high[i] = tap.high;
    weight[i] = tap.weight;
  }
}

std::vector<int> keep_used(BilinearAxis& axis) {
  std::vector<int> used(axis.low);
  used.insert(used.end(), axis.high.begin(), axis.high.end());
  std::ranges::sort(used);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (std::vector<int>* indices : {&axis.low, &axis.high}) {
    for (int& i : *indices) i = static_cast<int>(std::ranges::lower_bound(used, i) - used.begin());
  }
  return used;
}

void resize_bilinear(const float* in, int width, const BilinearAxis& horizontal, const BilinearAxis& vertical,
                     float* out) {
  const std::size_t in_stride = std::size_t{3} * width, out_stride = std::size_t{3} * horizontal.count();

  // Two source rows at the output's width; neighbouring output rows mostly need the same ones.
  std::vector<float> rows[2] = {std::vector<float>(out_stride), std::vector<float>(out_stride)};
  int held[2] = {-1, -1};
  const auto stretch = [&](int slot, int y) {
    const float* from = in + y * in_stride;
    float* to = rows[slot].data();
    for (int x = 0; x < horizontal.count(); ++x, to += 3) {
      const float *left = from + 3 * horizontal.low[x], *right = from + 3 * horizontal.high[x];
      const float weight = horizontal.weight[x];
      for (int c = 0; c < 3; ++c) to[c] = between(left[c], right[c], weight);
    }
    held[slot] = y;
  };

  for (int y = 0; y < vertical.count(); ++y, out += out_stride) {
    const int low = vertical.low[y], high = vertical.high[y];
    if (held[0] != low && held[1] == low) {
      std::swap(rows[0], rows[1]);
      std::swap(held[0], held[1]);
    }
    if (held[0] != low) stretch(0, low);
    if (held[1] != high) stretch(1, high);
    const float *upper = rows[0].data(), *lower = rows[1].data();
    const float weight = vertical.weight[y];
    for (std::size_t i = 0; i < out_stride; ++i) out[i] = between(upper[i], lower[i], weight);
  }
}

}  // namespace diopter
