// Greedy non-maximum suppression of a whole batch.
//
// Order: score descending, then index ascending. A box is kept unless a kept box of the same image (and class, when
// class_aware) has intersection > iou_threshold * union with it: no division, no coordinate offsets, two empty boxes
// never suppress each other. Both devices keep the same indices for the same input.
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"

namespace diopter {

/// Whether the boxes' intersection is larger than threshold * union; the areas are those of box_area.
DIOPTER_HD inline bool overlaps_more(const Box& a, float area_a, const Box& b, float area_b, float threshold) {
  const float intersection = box_intersection(a, b);
  const float united = sub_rn(add_rn(area_a, area_b), intersection);
  return intersection > mul_rn(threshold, united);
}

struct NmsArgs {
  int images;
  int capacity;                // boxes an image has room for
  const float* boxes;          // [images, capacity, 4]
  const float* scores;         // [images, capacity], not NaN
  const std::int32_t* labels;  // [images, capacity]
  const std::int32_t* counts;  // [images]: valid boxes, <= capacity
  float iou_threshold;
  bool class_aware = true;
  int max_kept;                // kept at most, an image
  std::int32_t* keep;          // [images, max_kept]: indices into the image's boxes, in the order
  std::int32_t* kept;          // [images]: how many
};

}  // namespace diopter

DIOPTER_KERNEL(void batched_nms(const NmsArgs& args))

namespace diopter::floors {

/// Corners, score and label, as if every place held a box.
inline Floor batched_nms(const NmsArgs& args) {
  return {.bytes = (sizeof(Box) + 8) * static_cast<double>(args.images) * args.capacity};
}

}  // namespace diopter::floors
