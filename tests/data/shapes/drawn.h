// What is drawn in pictures of shapes.
#pragma once

#include <algorithm>

#include "data/pictures/image.h"
#include "kernels/detection/box.h"

namespace diopter::test {

/// Tight box of the pixels that differ.
inline Box difference_box(const Image& a, const Image& b) {
  Box box{1e9f, 1e9f, -1e9f, -1e9f};
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      if (std::equal(a.pixel(x, y), a.pixel(x, y) + 3, b.pixel(x, y))) continue;
      const float fx = static_cast<float>(x), fy = static_cast<float>(y);
      box = {std::min(box.x1, fx), std::min(box.y1, fy), std::max(box.x2, fx + 1), std::max(box.y2, fy + 1)};
    }
  }
  return box;
}

/// A mean of all bytes that tells most pictures apart.
inline double weighted_mean(const Image& image) {
  double sum = 0;
  for (std::size_t k = 0; k < image.rgb.size(); ++k) sum += image.rgb[k] * (1 + static_cast<double>(k % 7) / 2);
  return sum / static_cast<double>(image.rgb.size());
}

}  // namespace diopter::test
