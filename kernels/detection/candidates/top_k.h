// Candidates of an image: per level the k largest logits above a threshold, then their boxes.
//
// Total order: logit descending, then index ascending, where index = (pixel * cells + cell) * classes + class counts
// within the level. Both devices select the same indices for the same logits. NaN is never selected.
//
// Start here: kernels/plain/top_k.h
#pragma once

#include <cmath>

#include "kernels/base/least_work.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/head.h"

namespace diopter {

template <class T>
struct TopKArgs {
  HeadLevels<T> logits;
  float min_logit;        // selected are logits > min_logit (the score threshold, through the inverse sigmoid)
  int k;                  // candidates per image and level, at most; >= 1
  std::int32_t* indices;  // [images, levels, k], in the total order
  float* values;          // [images, levels, k]: the logits
  std::int32_t* counts;   // [images, levels]: how many are valid
};

template <class T>
struct DecodeArgs {
  AnchorGrid grid;
  BoxCoder coder = {};
  HeadLevels<T> deltas;  // channels = 4
  int classes, k;
  const std::int32_t* indices;  // [images, levels, k] from top_k
  const float* values;          // [images, levels, k]
  const std::int32_t* counts;   // [images, levels]
  const float* image_sizes;     // [images, 2]: width, height to which boxes are clipped; null: no clipping
  float* boxes;                 // [images, levels * k, 4]; the valid ones of an image lie in front, level after level
  float* scores;                // [images, levels * k]: sigmoid of the logit, or the value itself
  std::int32_t* labels;         // [images, levels * k]
  std::int32_t* candidates;     // [images]: number of valid ones
  bool sigmoid = true;
};

/// Writes box, score and label of the candidate of this rank, on level l of an image, to place `out` of the outputs.
template <class T>
DIOPTER_HD void decode_candidate(const DecodeArgs<T>& args, std::int64_t image, int l, int rank, std::int64_t out) {
  const HeadLevels<T>& heads = args.deltas;
  const std::int64_t in = (image * heads.count + l) * args.k + rank;
  const std::int32_t index = args.indices[in], anchor = index / args.classes;
  const T* x = heads.level[l].values + heads.offset(l, image, anchor);
  const float deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])}, value = args.values[in];
  Box box = decode_box(args.coder, args.grid.box(l, anchor), deltas);
  if (args.image_sizes) {
    const float width = args.image_sizes[image * 2], height = args.image_sizes[image * 2 + 1];
    const auto clip = [](float v, float most) { return v < 0.0f ? 0.0f : most < v ? most : v; };
    box = {clip(box.x1, width), clip(box.y1, height), clip(box.x2, width), clip(box.y2, height)};
  }
  set_box(args.boxes, out, box);
  args.scores[out] = args.sigmoid ? 1.0f / (1.0f + std::exp(-value)) : value;
  args.labels[out] = index % args.classes;
}

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void top_k(const TopKArgs<T>& args);
               template <class T> void decode_candidates(const DecodeArgs<T>& args))

namespace diopter::least_work {

template <class T>
LeastWork top_k(const TopKArgs<T>& args) {
  return passes<T>(1, args.logits.images * args.logits.anchors() * args.logits.channels);
}
/// As if every place held a candidate: index, value and deltas are read, box, score and label written.
template <class T>
LeastWork decode_candidates(const DecodeArgs<T>& args) {
  const double places = static_cast<double>(args.deltas.images) * args.deltas.count * args.k;
  return {.bytes = places * (8 + 4 * sizeof(T) + sizeof(Box) + 8)};
}

}  // namespace diopter::least_work
