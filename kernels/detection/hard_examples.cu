#include "kernels/detection/hard_examples.h"

#include <cmath>

#include "kernels/detection/loss_list.h"
#include "kernels/toolkit/reduce.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kSelectThreads = 1024;

/// 2^log_lanes neighbouring threads of a warp per anchor of image blockIdx.y: lane after lane takes a class, so that
/// neighbouring threads read neighbouring logits, and their sums are added in a fixed tree. No shared memory.
template <class T, class Loss>
__global__ void __launch_bounds__(kThreads)
    anchor_scores_kernel(const __grid_constant__ AnchorScoreArgs<T> args, std::int64_t anchors, int log_lanes,
                         const __grid_constant__ Loss loss) {
  const HeadLevels<T>& heads = args.logits;
  const int image = blockIdx.y, lanes = 1 << log_lanes, lane = threadIdx.x & (lanes - 1);
  std::int64_t index = thread_index() >> log_lanes;
  const bool exists = index < anchors;  // threads past the end stay for the shuffles below

  // The anchor's level, its logits, and the place of its score: scores lie level by level, then image by image.
  float sum = 0;
  float* score = args.scores;
  if (exists) {
    const std::int32_t label = args.labels[image * anchors + index];
    int l = 0;
    for (; index >= heads.level[l].pixels * heads.cells; ++l) {
      index -= heads.level[l].pixels * heads.cells;
      score += heads.images * heads.level[l].pixels * heads.cells;
    }
    const T* x = heads.level[l].values + heads.offset(l, image, static_cast<int>(index));
    // This lane's classes; none of an ignored anchor.
    for (int k = lane; label != kIgnore && k < heads.channels; k += lanes) {
      const float value = loss(static_cast<float>(x[k]), k == label).value;
      sum += k == label && args.class_weights ? args.class_weights[k] * value : value;
    }
    score += image * heads.level[l].pixels * heads.cells + index;
  }
  // The lanes' sums. Lanes of an anchor are neighbours and their number divides a warp's, so no other anchor's sum gets
  // in.
  for (int distance = lanes / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAllLanes, sum, distance);
  if (exists && lane == 0) *score = sum == sum ? std::log(sum) : INFINITY;  // NaN: infinite
}

/// One thread per anchor of all images.
__global__ void __launch_bounds__(kThreads) ignore_kernel(std::int64_t anchors, std::int32_t* labels) {
  const std::int64_t i = thread_index();
  if (i < anchors) labels[i] = kIgnore;
}

/// One block per image. Goes through the survivors twice, a thread each: counts the positives, which gives the quota,
/// then finds by prefix sums how many of its kind are before each. Shared memory: that of the sums.
__global__ void __launch_bounds__(kSelectThreads) select_kernel(const __grid_constant__ HardExampleArgs args) {
  const int image = blockIdx.x, kept = args.kept[image];
  const std::int64_t first_anchor = image * args.grid.size();
  const std::int32_t* keep = args.keep + std::int64_t{image} * args.max_kept;
  struct Survivor {
    bool exists;
    std::int64_t anchor;
    std::int32_t label;
  };
  const auto survivor = [&](int rank) {
    if (rank >= kept) return Survivor{false, 0, kIgnore};
    const std::int64_t anchor = first_anchor + anchor_of_candidate(args, image, keep[rank]);
    return Survivor{true, anchor, args.labels[anchor]};
  };
  // Positive survivors, which give the quota of each kind. block_sum gives every thread the same total.
  int count = 0;
  for (int rank = threadIdx.x; rank < kept; rank += kSelectThreads) count += survivor(rank).label >= 0;
  const HardExampleQuota quota = hard_example_quota(args.rule, block_sum<kSelectThreads>(count));

  // Tile by tile: a survivor is selected when fewer of its kind than the quota stand before it. Survivors are different
  // anchors, so no two threads write to one label. All threads run the scan, existing survivor or not.
  int positives = 0, negatives = 0;  // before this tile
  for (int tile = 0; tile < kept; tile += kSelectThreads) {
    const Survivor s = survivor(tile + static_cast<int>(threadIdx.x));
    const bool positive = s.label >= 0;
    const Scan<int> scan = block_exclusive_sum<kSelectThreads>(int{positive});
    const int before = positive ? positives + scan.before : negatives + static_cast<int>(threadIdx.x) - scan.before;
    if (s.exists && before < (positive ? quota.positives : quota.negatives)) args.selected_labels[s.anchor] = s.label;
    positives += scan.total;
    negatives += min(kept - tile, kSelectThreads) - scan.total;
  }
  if (threadIdx.x == 0) {
    args.positives[image] = min(positives, quota.positives);
    args.selected[image] = min(positives, quota.positives) + min(negatives, quota.negatives);
  }
}

template <class T, class Loss>
void scores_of(const AnchorScoreArgs<T>& args, const Loss& loss) {
  const std::int64_t anchors = args.logits.anchors();
  int log_lanes = 0;
  while (log_lanes < 5 && 1 << log_lanes < args.logits.channels) ++log_lanes;
  launch(anchor_scores_kernel<T, Loss>,
         {.grid = {blocks_for(anchors << log_lanes, kThreads), static_cast<unsigned>(args.logits.images)},
          .block = kThreads},
         args, anchors, log_lanes, loss);
}

}  // namespace

template <class T>
void anchor_scores(const AnchorScoreArgs<T>& args, const AnyLoss& loss) {
  visit_loss(loss, [&](const auto& l) { with_fast_version(l, [&](const auto& fast) { scores_of(args, fast); }); });
}

void select_hard_examples(const HardExampleArgs& args) {
  const std::int64_t anchors = args.images * args.grid.size();
  launch(ignore_kernel, {.grid = blocks_for(anchors, kThreads), .block = kThreads}, anchors, args.selected_labels);
  launch(select_kernel, {.grid = static_cast<unsigned>(args.images), .block = kSelectThreads}, args);
}

template void anchor_scores(const AnchorScoreArgs<float>&, const AnyLoss&);
template void anchor_scores(const AnchorScoreArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cuda
