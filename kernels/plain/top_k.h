// Candidates of an image, the shortest way: all logits above the threshold are sorted, and the first k of each level
// decoded. The fast versions: kernels/detection/candidates/top_k.{h,cpp,cu}.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/detection/candidates/top_k.h"

namespace diopter::plain {

template <class T>
void top_k(const TopKArgs<T>& args) {
  const HeadLevels<T>& heads = args.logits;
  const std::int64_t per_pixel = std::int64_t{heads.cells} * heads.channels;
  for (int image = 0; image < heads.images; ++image) {
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      std::vector<std::pair<float, std::int32_t>> all;  // negated logit and index: ascending is the order
      for (std::int64_t pixel = 0; pixel < level.pixels; ++pixel) {
        const T* logits = level.values + (image * level.pixels + pixel) * level.pixel_stride;
        for (std::int64_t i = 0; i < per_pixel; ++i) {
          const float logit = float(logits[i]);
          if (logit > args.min_logit) all.emplace_back(-logit, static_cast<std::int32_t>(pixel * per_pixel + i));
        }
      }
      std::sort(all.begin(), all.end());
      all.resize(std::min<std::size_t>(all.size(), args.k));
      const std::int64_t segment = std::int64_t{image} * heads.count + l;
      args.counts[segment] = static_cast<std::int32_t>(all.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        args.values[segment * args.k + i] = -all[i].first;
        args.indices[segment * args.k + i] = all[i].second;
      }
    }
  }
}

template <class T>
void decode_candidates(const DecodeArgs<T>& args) {
  const HeadLevels<T>& heads = args.deltas;
  for (int image = 0; image < heads.images; ++image) {
    const std::int64_t first = std::int64_t{image} * heads.count * args.k;
    std::int64_t out = first;
    for (int l = 0; l < heads.count; ++l) {
      for (std::int32_t rank = 0; rank < args.counts[image * heads.count + l]; ++rank, ++out) {
        const std::int64_t in = first + std::int64_t{l} * args.k + rank;
        const std::int32_t anchor = args.indices[in] / args.classes;
        const T* x = heads.level[l].values + heads.offset(l, image, anchor);
        const float deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])}, value = args.values[in];
        Box box = decode_box(args.coder, args.grid.box(l, anchor), deltas);
        if (const float* size = args.image_sizes ? args.image_sizes + image * 2 : nullptr) {
          box = {std::clamp(box.x1, 0.0f, size[0]), std::clamp(box.y1, 0.0f, size[1]),
                 std::clamp(box.x2, 0.0f, size[0]), std::clamp(box.y2, 0.0f, size[1])};
        }
        set_box(args.boxes, out, box);
        args.scores[out] = args.sigmoid ? 1 / (1 + std::exp(-value)) : value;
        args.labels[out] = args.indices[in] % args.classes;
      }
    }
    args.candidates[image] = static_cast<std::int32_t>(out - first);
  }
}

}  // namespace diopter::plain
