#include "kernels/detection/pairs/box_pairs.h"

#include <algorithm>

#include "kernels/base/parallel.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kChunkOverlaps = 1 << 14;  // overlaps
constexpr std::int64_t kPairs = 512;              // losses of a piece of work

}  // namespace

void pairwise_iou(const PairwiseIouArgs& args) {
  const std::int64_t grain = std::max<std::int64_t>(1, kChunkOverlaps / std::max<std::int64_t>(1, args.columns));
  parallel_for(args.rows, grain, [&args](std::int64_t begin, std::int64_t end) {
    with_widest_vectors([&args, begin, end] {
      for (std::int64_t i = begin; i < end; ++i) {
        const Box box = box_at(args.boxes1, i);
        float* ious = args.ious + i * args.columns;
        for (std::int64_t j = 0; j < args.columns; ++j) ious[j] = box_iou(box, box_at(args.boxes2, j));
      }
    });
  });
}

void box_pair_loss(const BoxPairLossArgs& args) {
  parallel_for(args.n, kPairs, [&args](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float derivative[4];
      args.losses[i] =
          box_pair_loss_value(args.kind, box_at(args.boxes, i), box_at(args.targets, i), args.epsilon, derivative);
      if (args.gradient) std::copy_n(derivative, 4, args.gradient + 4 * i);
    }
  });
}

}  // namespace diopter::cpu
