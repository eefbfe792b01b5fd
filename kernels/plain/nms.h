// Non-maximum suppression, the shortest way: one greedy pass over the boxes of an image. The fast versions:
// kernels/detection/candidates/nms.{h,cpp,cu}.
//
//   by score descending, then index: a box is kept unless a kept one has intersection > iou_threshold * union with it
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/detection/candidates/nms.h"

namespace diopter::plain {

inline void batched_nms(const NmsArgs& args) {
  for (int image = 0; image < args.images; ++image) {
    const std::int64_t start = std::int64_t{image} * args.capacity;
    const float* scores = args.scores + start;
    const std::int32_t* labels = args.labels + start;
    std::vector<std::int32_t> order(args.counts[image]), kept;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return scores[a] > scores[b]; });
    for (std::int32_t i : order) {
      const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](std::int32_t j) {
        const Box a = box_at(args.boxes, start + i), b = box_at(args.boxes, start + j);
        const float intersection = box_intersection(a, b), united = box_area(a) + box_area(b) - intersection;
        return (!args.class_aware || labels[i] == labels[j]) && intersection > args.iou_threshold * united;
      });
      if (!suppressed) kept.push_back(i);
    }
    kept.resize(std::min<std::size_t>(kept.size(), args.max_kept));
    std::copy(kept.begin(), kept.end(), args.keep + std::int64_t{image} * args.max_kept);
    args.kept[image] = static_cast<std::int32_t>(kept.size());
  }
}

}  // namespace diopter::plain
