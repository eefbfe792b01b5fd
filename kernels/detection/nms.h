// Greedy non-maximum suppression of a whole batch.
//
// Order: score descending, then index ascending. A box is kept unless a kept box of the same image (and class, when
// class_aware) has intersection > iou_threshold * union with it: no division, no coordinate offsets, two empty boxes
// never suppress each other. Both devices keep the same indices for the same input.
//
// Start here: kernels/plain/nms.h
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"

namespace diopter {

struct NmsArgs {
  int images;
  int capacity;                // boxes an image has room for
  const float* boxes;          // [images, capacity, 4]
  const float* scores;         // [images, capacity], not NaN
  const std::int32_t* labels;  // [images, capacity]
  const std::int32_t* counts;  // [images]: valid boxes, <= capacity
  float iou_threshold;
  bool class_aware = true;
  int max_kept;        // kept at most, an image
  std::int32_t* keep;  // [images, max_kept]: indices into the image's boxes, in the order
  std::int32_t* kept;  // [images]: how many
};

}  // namespace diopter

DIOPTER_KERNEL(void batched_nms(const NmsArgs& args))

namespace diopter::least_work {

/// Corners, score and label, as if every place held a box.
inline LeastWork batched_nms(const NmsArgs& args) {
  return {.bytes = (sizeof(Box) + 8) * static_cast<double>(args.images) * args.capacity};
}

}  // namespace diopter::least_work
