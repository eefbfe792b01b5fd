// The heads' outputs cut into pieces for CPU threads. Where the pieces lie depends on shapes only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/detection/head.h"

namespace diopter::cpu {

/// Consecutive pixels of one level of one image.
struct HeadChunk {
  int image, level;
  std::int64_t pixel, pixels;  // first pixel within the level, number of pixels
  std::int64_t anchor;         // its first anchor, counted within the image
};

/// Pieces of about `values` values each, in the order image, level, pixel.
template <class T>
std::vector<HeadChunk> head_chunks(const HeadLevels<T>& heads, std::int64_t values) {
  const std::int64_t step = std::max<std::int64_t>(1, values / std::max(1, heads.cells * heads.channels));
  std::vector<HeadChunk> chunks;
  for (int image = 0; image < heads.images; ++image) {
    std::int64_t anchor = 0;
    for (int l = 0; l < heads.count; ++l) {
      for (std::int64_t pixel = 0; pixel < heads.level[l].pixels; pixel += step) {
        const std::int64_t pixels = std::min(step, heads.level[l].pixels - pixel);
        chunks.push_back({image, l, pixel, pixels, anchor});
        anchor += pixels * heads.cells;
      }
    }
  }
  return chunks;
}

/// sums[image] = body(chunk) -> double over the image's chunks, added in order: the same bits for any thread count.
template <class T, class Body>
void sum_per_image(const HeadLevels<T>& heads, std::int64_t values, float* sums, Body&& body) {
  const std::vector<HeadChunk> chunks = head_chunks(heads, values);
  const std::int64_t count = static_cast<std::int64_t>(chunks.size());
  std::vector<double> partial(chunks.size()), total(heads.images);
  parallel_for(count, 1, [&](std::int64_t i, std::int64_t) { partial[i] = body(chunks[i]); });
  for (std::int64_t i = 0; i < count; ++i) total[chunks[i].image] += partial[i];
  for (int image = 0; image < heads.images; ++image) sums[image] = static_cast<float>(total[image]);
}

}  // namespace diopter::cpu
