// Boxes with boxes, the shortest way. The fast versions: kernels/detection/pairs/box_pairs.{h,cpp,cu}.
#pragma once

#include "kernels/detection/pairs/box_pairs.h"

namespace diopter::plain {

inline void pairwise_iou(const PairwiseIouArgs& args) {
  for (std::int64_t i = 0; i < args.rows; ++i) {
    for (std::int64_t j = 0; j < args.columns; ++j) {
      args.ious[i * args.columns + j] = box_iou(box_at(args.boxes1, i), box_at(args.boxes2, j));
    }
  }
}

inline void box_pair_loss(const BoxPairLossArgs& args) {
  const auto in_double = [](const Box& b) { return BoxT<double>{b.x1, b.y1, b.x2, b.y2}; };
  for (std::int64_t i = 0; i < args.n; ++i) {
    double derivative[4];
    args.losses[i] =
        static_cast<float>(box_pair_loss_value(args.kind, in_double(box_at(args.boxes, i)),
                                               in_double(box_at(args.targets, i)), double{args.epsilon}, derivative));
    for (int c = 0; args.gradient && c < 4; ++c) args.gradient[4 * i + c] = static_cast<float>(derivative[c]);
  }
}

}  // namespace diopter::plain
