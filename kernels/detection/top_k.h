// Candidates of an image: per level the k largest logits above a threshold, then their boxes.
//
// Total order: logit descending, then index ascending, where index = (pixel * cells + cell) * classes + class counts
// within the level. Both devices select the same indices for the same logits. NaN is never selected.
#pragma once

#include "kernels/base/least_work.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/head.h"

namespace diopter {

template <class T>
struct TopKArgs {
  HeadLevels<T> logits;
  float min_logit;        // selected are logits > min_logit (the score threshold, through the inverse sigmoid)
  int k;                  // at most so many an image and level, >= 1
  std::int32_t* indices;  // [images, levels, k], in the total order
  float* values;          // [images, levels, k]: the logits
  std::int32_t* counts;   // [images, levels]: how many are valid
};

template <class T>
struct DecodeArgs {
  AnchorGrid grid;
  BoxCoder coder = {};
  HeadLevels<T> deltas;           // channels = 4
  int classes, k;
  const std::int32_t* indices;    // [images, levels, k] from top_k
  const float* values;            // [images, levels, k]
  const std::int32_t* counts;     // [images, levels]
  const float* image_sizes;       // [images, 2]: width, height to which boxes are clipped; null: no clipping
  float* boxes;                   // [images, levels * k, 4]; the valid ones of an image lie in front, level after level
  float* scores;                  // [images, levels * k]: sigmoid of the logit, or the value itself
  std::int32_t* labels;           // [images, levels * k]
  std::int32_t* candidates;       // [images]: number of valid ones
  bool sigmoid = true;
};

}  // namespace diopter

DIOPTER_KERNEL(
  template <class T> void top_k(const TopKArgs<T>& args);
  template <class T> void decode_candidates(const DecodeArgs<T>& args))

namespace diopter::least_work {

template <class T> LeastWork top_k(const TopKArgs<T>& args) {
  return passes<T>(1, args.logits.images * args.logits.anchors() * args.logits.channels);
}
/// As if every place held a candidate: index, value and deltas are read, box, score and label written.
template <class T> LeastWork decode_candidates(const DecodeArgs<T>& args) {
  const double places = static_cast<double>(args.deltas.images) * args.deltas.count * args.k;
  return {.bytes = places * (8 + 4 * sizeof(T) + sizeof(Box) + 8)};
}

}  // namespace diopter::least_work
