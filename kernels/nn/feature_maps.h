// Loops over the pixels of feature maps on the CPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/toolkit/levels.h"

namespace diopter::cpu {

/// Calls body(row, level, n, y, x) for the rows [begin, end) of a list of feature maps.
template <class Body>
void for_each_pixel(const Levels& levels, std::int64_t begin, std::int64_t end, Body body) {
  std::int64_t first = 0;
  for (int l = 0; l < levels.count && first < end; ++l) {
    const LevelShape& level = levels.level[l];
    const std::int64_t last = std::min(end, first + level.rows());
    if (std::int64_t row = std::max(begin, first); row < last) {
      std::int64_t rest = row - first;
      int x = static_cast<int>(rest % level.w);
      rest /= level.w;
      int y = static_cast<int>(rest % level.h), n = static_cast<int>(rest / level.h);
      for (; row < last; ++row) {
        body(row, l, n, y, x);
        if (++x < level.w) continue;
        x = 0;
        if (++y < level.h) continue;
        y = 0;
        ++n;
      }
    }
    first += level.rows();
  }
}

}  // namespace diopter::cpu
