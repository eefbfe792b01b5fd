// Sums over the rows of a matrix on the CPU, in a fixed order of addition.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/base/parallel.h"

namespace diopter::cpu {

/// Rows in one piece of a loop over a matrix [rows, channels]: at least 2^15 values, and at most 64 pieces in all, so
/// that one partial sum per piece costs little.
inline std::int64_t row_grain(std::int64_t rows, int channels) {
  return std::max<std::int64_t>((1 << 15) / channels + 1, (rows + 63) / 64);
}

/// `width` sums over [0, rows): body(begin, end, partial) adds what its rows give to partial[width], zeros at first.
/// The partial sums are added in order. rows may be 0.
template <class Body>
std::vector<double> row_sums(std::int64_t rows, std::int64_t grain, int width, Body&& body) {
  std::vector<double> partial((rows + grain - 1) / grain * width), sums(width);
  parallel_for(rows, grain,
               [&](std::int64_t begin, std::int64_t end) { body(begin, end, partial.data() + begin / grain * width); });
  for (std::size_t i = 0; i < partial.size(); i += width) {
    for (int j = 0; j < width; ++j) sums[j] += partial[i + j];
  }
  return sums;
}

}  // namespace diopter::cpu
