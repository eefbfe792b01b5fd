// Feature maps of several sizes laid one after another: what convolutions, norms and losses run over.
#pragma once

#include <compare>
#include <cstdint>

#include "kernels/base/host_device.h"

namespace diopter {

inline constexpr int kMaxLevels = 8;

/// One feature map of a batch: n images of h x w pixels, channels last.
struct LevelShape {
  int n, h, w;
  DIOPTER_HD std::int64_t rows() const { return std::int64_t{n} * h * w; }
  auto operator<=>(const LevelShape&) const = default;
};

/// The rows of a matrix [rows, channels] seen as feature maps: level after level, in each level image after image,
/// then y, then x. An ordinary feature map [N, H, W, C] is one level.
struct Levels {
  int count = 0;
  LevelShape level[kMaxLevels] = {};

  Levels() = default;
  DIOPTER_HD explicit Levels(LevelShape only) : count(1) { level[0] = only; }

  /// First row of level i; offset(count) is the number of rows.
  DIOPTER_HD std::int64_t offset(int i) const {
    std::int64_t rows = 0;
    for (int l = 0; l < i; ++l) rows += level[l].rows();
    return rows;
  }
  DIOPTER_HD std::int64_t rows() const { return offset(count); }
  bool operator==(const Levels&) const = default;
};

}  // namespace diopter
