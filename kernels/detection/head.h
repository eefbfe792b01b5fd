// The heads' outputs as the loss, top-k and box kernels read them: a pointer per level, nothing permuted or
// concatenated.
#pragma once

#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

/// Values of one level, [images, pixels, cells * channels] with pixel_stride values from one pixel to the next.
template <class T>
struct HeadLevel {
  const T* values;
  T* gradient = nullptr;      // same layout; overwritten by losses, not used elsewhere
  std::int64_t pixels;        // h * w of one image
  std::int64_t pixel_stride;  // >= cells * channels (more where channels are padded); padding is never read or written
};

template <class T>
struct HeadLevels {
  int count = 0;
  int images = 0;
  int cells = 0;     // anchors per pixel
  int channels = 0;  // values per anchor: classes, or 4
  HeadLevel<T> level[kMaxLevels] = {};

  /// Anchors of one image.
  DIOPTER_HD std::int64_t anchors() const {
    std::int64_t sum = 0;
    for (int l = 0; l < count; ++l) sum += level[l].pixels * cells;
    return sum;
  }

  /// Where the values of an anchor begin, in `values` and in `gradient` of level l; anchor: its index within the level
  /// of one image, in 32 bits or 64.
  template <class Index>
  DIOPTER_HD std::int64_t offset(int l, std::int64_t image, Index anchor) const {
    return (image * level[l].pixels + anchor / cells) * level[l].pixel_stride + anchor % cells * channels;
  }
};

}  // namespace diopter
