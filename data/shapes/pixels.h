// Pictures while they are drawn: size x size pixels of three floats, row by row.
#pragma once

#include <vector>

namespace diopter {

/// Calls visit(pixel, u, v) for each pixel, with the place of its middle from 0 to 1 over the picture.
template <class Visit>
void for_each_pixel(int size, std::vector<float>& picture, const Visit& visit) {
  float* pixel = picture.data();
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x, pixel += 3) {
      visit(pixel, (static_cast<float>(x) + 0.5f) / static_cast<float>(size),
            (static_cast<float>(y) + 0.5f) / static_cast<float>(size));
    }
  }
}

}  // namespace diopter
