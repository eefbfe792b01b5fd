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
  int capacity;                // boxes that there is room for per image
  const float* boxes;          // [images, capacity, 4]
  const float* scores;         // [images, capacity], not NaN
  const std::int32_t* labels;  // [images, capacity]; not read unless class_aware
  const std::int32_t* counts;  // [images]: valid boxes, <= capacity
  float iou_threshold;
  bool class_aware = true;
  int max_kept;        // kept at most, an image
  std::int32_t* keep;  // [images, max_kept]: indices into the image's boxes, in the order
  std::int32_t* kept;  // [images]: how many
};

/// A box that NMS kept.
struct KeptBox {
  Box box;
  std::int32_t label;  // negative: there is none
  float score;
};

struct GatherArgs {
  int images, capacity, max_kept;  // the rest as in NmsArgs
  const float* boxes;
  const float* scores;
  const std::int32_t* labels;
  const std::int32_t* keep;
  const std::int32_t* kept;
  KeptBox* out;  // [images, max_kept]: in the order; label -1 behind the last
};

/// The i-th box that was kept of an image.
DIOPTER_HD inline KeptBox kept_box(const GatherArgs& args, std::int64_t image, int i) {
  if (i >= args.kept[image]) return {{}, -1, 0};
  const std::int64_t place = image * args.capacity + args.keep[image * args.max_kept + i];
  return {box_at(args.boxes, place), args.labels[place], args.scores[place]};
}

}  // namespace diopter

DIOPTER_KERNEL(void batched_nms(const NmsArgs& args);
               /// The kept boxes themselves, side by side, so that one copy takes them to the host.
               void gather_kept(const GatherArgs& args))

namespace diopter::least_work {

/// Corners, score and label, as if every place held a box.
inline LeastWork batched_nms(const NmsArgs& args) {
  return {.bytes = (sizeof(Box) + 8) * static_cast<double>(args.images) * args.capacity};
}
inline LeastWork gather_kept(const GatherArgs& args) {
  return {.bytes = (4 + 2 * sizeof(KeptBox)) * static_cast<double>(args.images) * args.max_kept};
}

}  // namespace diopter::least_work
