#include "kernels/detection/match.h"

#include "kernels/device/scratch.h"
#include "kernels/toolkit/reduce.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;

/// The anchor of this thread; threads behind the last anchor repeat it, so that all may take part in barriers.
__device__ Box thread_anchor(const AnchorGrid& grid, std::int64_t anchors) {
  std::int64_t i = min(thread_index(), anchors - 1);
  const int l = grid.level_of(i);
  return grid.box(l, i);
}

/// Calls visit(b, box, label), in order, for the boxes of an image that meet an anchor of this warp, and for all
/// ignored regions. The 32 anchors of a warp are neighbours: 32 boxes at a time are compared with their hull, a box per
/// lane, and most are done with. Boxes pass through shared memory in tiles, so there may be any number. The whole block
/// must call.
template <class Visit>
__device__ void visit_boxes(const GroundTruth& truth, int image, const Box& anchor, const Visit& visit) {
  __shared__ Box boxes[kThreads];
  __shared__ std::int32_t labels[kThreads];
  const int thread = threadIdx.x, lane = thread % 32;
  // The smallest box around the warp's anchors: what does not meet it meets none of them.
  const Box hull{warp_min(anchor.x1), warp_min(anchor.y1), warp_max(anchor.x2), warp_max(anchor.y2)};
  const std::int32_t last = truth.offsets[image + 1];
  for (std::int32_t first = truth.offsets[image]; first < last; first += kThreads) {
    const int size = min(kThreads, last - first);
    // Load a tile of boxes, one per thread. Bounds are those of the image, the same for the whole block, so that every
    // thread comes to both barriers; the first keeps a fast warp from overwriting boxes that a slow one still reads.
    __syncthreads();
    if (thread < size) {
      boxes[thread] = box_at(truth.boxes, first + thread);
      labels[thread] = truth.labels[first + thread];
    }
    __syncthreads();
    // Sieve 32 boxes at once, one per lane, then visit those that are left with the whole warp. Bits are taken from the
    // lowest up, so that boxes are visited in the order of their indices: ties go to the first.
    for (int begin = 0; begin < size; begin += 32) {
      const int mine = begin + lane;
      const bool matters = mine < size && (labels[mine] < 0 || box_intersection(hull, boxes[mine]) > 0);
      for (unsigned left = __ballot_sync(kAllLanes, matters); left != 0; left &= left - 1) {
        const int b = begin + __ffs(left) - 1;
        visit(first + b, boxes[b], labels[b]);
      }
    }
  }
}

/// One thread per anchor of image blockIdx.y. largest[box], zero before, becomes the bits of the box's largest IoU with
/// an anchor. IoUs are >= 0 and so order as their bits do; a maximum of integers does not depend on the order of the
/// atomics. Shared memory: a tile of boxes, 5 KB.
__global__ void __launch_bounds__(kThreads)
    largest_iou_kernel(const __grid_constant__ MatchArgs args, std::int64_t anchors, std::int32_t* largest) {
  const Box anchor = thread_anchor(args.grid, anchors);
  // One atomic per box and warp, by its first lane. All lanes have the same box and label here, so the early return is
  // taken by all of them or none, and warp_max is complete.
  visit_boxes(args.truth, blockIdx.y, anchor, [&](std::int32_t b, const Box& box, std::int32_t label) {
    if (label < 0) return;
    const std::int32_t iou = warp_max(__float_as_int(box_iou(anchor, box)));
    if (threadIdx.x % 32 == 0 && iou > 0) atomicMax(&largest[b], iou);
  });
}

/// One thread per anchor of image blockIdx.y: its best box, the first on ties, and what follows from the IoU. `largest`
/// is null without the low-quality rule; with it, recomputed IoUs equal those of the first kernel bit for bit, because
/// no compiler contracts them. positives[image], zero before, is counted with integer atomics. Shared memory: a tile of
/// boxes, 5 KB.
__global__ void __launch_bounds__(kThreads)
    label_kernel(const __grid_constant__ MatchArgs args, std::int64_t anchors, const std::int32_t* largest) {
  const GroundTruth& truth = args.truth;
  const MatchRule& rule = args.rule;
  const int image = blockIdx.y;
  const Box anchor = thread_anchor(args.grid, anchors);

  // Start: all boxes that an anchor does not meet tie at IoU 0, and the first that claims is its best box. Without any,
  // no threshold is reached.
  const std::int32_t first = truth.offsets[image], last = truth.offsets[image + 1];
  std::int32_t best = first;
  while (best < last && truth.labels[best] < 0) ++best;

  float best_iou = best < last ? 0.0f : -INFINITY;
  bool claimed = false, covered = false;

  // Compare with the boxes near the anchor, in order; `>` keeps the first of equals.
  visit_boxes(truth, image, anchor, [&](std::int32_t b, const Box& box, std::int32_t label) {
    if (label < 0) {
      covered |= div_rn(box_intersection(anchor, box), box_area(anchor)) >= rule.ignore_overlap;
      return;
    }
    const float iou = box_iou(anchor, box);
    if (iou > best_iou) {
      best_iou = iou;
      best = b;
    }
    claimed |= largest && iou > 0 && __float_as_int(iou) == largest[b];
  });

  // Decide, write and count. Threads behind the last anchor have a copy of it and must not write, but they count (as
  // false): the whole block calls __syncthreads_count. The sum of the blocks is of integers: any order gives it.
  const std::int64_t i = thread_index();
  const std::int32_t label = label_of(rule, best_iou, claimed, covered);
  const bool positive = i < anchors && label == kForeground;
  if (i < anchors) {
    const std::int64_t at = image * anchors + i;
    args.labels[at] = positive ? truth.labels[best] : label;
    args.matches[at] = positive ? best - first : -1;
  }
  const int positives = __syncthreads_count(positive);
  if (threadIdx.x == 0 && positives > 0) atomicAdd(&args.positives[image], positives);
}

/// A thread per box and level: its candidates [total, levels, rule.candidates]. Walks differ from box to box, and a
/// thread keeps its candidates in local memory; boxes are few. With two blocks asked for, registers are not spilled.
__global__ void __launch_bounds__(kThreads, 2)
    candidates_kernel(const __grid_constant__ MatchArgs args, std::int32_t* candidates) {
  const std::int64_t i = thread_index();
  const int levels = args.grid.levels, most = args.rule.candidates;
  if (i >= std::int64_t{args.truth.total} * levels) return;
  const std::int32_t b = static_cast<std::int32_t>(i / levels);
  if (b >= args.truth.offsets[args.truth.images] || args.truth.labels[b] < 0) return;
  find_match_candidates(args.grid, static_cast<int>(i % levels), box_at(args.truth.boxes, b), most,
                        candidates + i * most);
}

/// What an anchor knows of the boxes that claim it: bits of the largest IoU, and of boxes with it the first, which has
/// the largest value here. 0: none claims it.
__device__ unsigned long long claim_of(float iou, std::int32_t box) {
  return static_cast<unsigned long long>(__float_as_uint(iou)) << 32 | (0xFFFFFFFFu - static_cast<unsigned>(box));
}

/// A thread per box: its threshold, and its claims [images, anchors], zero before. A maximum of integers does not
/// depend on the order of the atomics.
__global__ void __launch_bounds__(kThreads) claim_kernel(const __grid_constant__ MatchArgs args, std::int64_t anchors,
                                                         const std::int32_t* candidates, unsigned long long* claims) {
  const GroundTruth& truth = args.truth;
  const std::int64_t i = thread_index();
  if (i >= truth.offsets[truth.images]) return;
  const std::int32_t b = static_cast<std::int32_t>(i);
  if (truth.labels[b] < 0) return;
  int image = 0;
  while (truth.offsets[image + 1] <= b) ++image;
  const int count = args.grid.levels * args.rule.candidates;
  atss_claims(args.grid, box_at(truth.boxes, b), {candidates + i * count, count},
              [&](std::int32_t anchor, float iou) { atomicMax(&claims[image * anchors + anchor], claim_of(iou, b)); });
}

/// One thread per anchor of image blockIdx.y: the box that claims it, or else whether an ignored region covers it.
/// positives[image], zero before. Shared memory: a tile of boxes, 5 KB.
__global__ void __launch_bounds__(kThreads)
    atss_label_kernel(const __grid_constant__ MatchArgs args, std::int64_t anchors, const unsigned long long* claims) {
  const GroundTruth& truth = args.truth;
  const int image = blockIdx.y;
  const Box anchor = thread_anchor(args.grid, anchors);
  bool covered = false;
  visit_boxes(truth, image, anchor, [&](std::int32_t, const Box& box, std::int32_t label) {
    if (label >= 0) return;
    covered |= div_rn(box_intersection(anchor, box), box_area(anchor)) >= args.rule.ignore_overlap;
  });
  // Threads behind the last anchor count as false.
  const std::int64_t i = thread_index(), at = image * anchors + i;
  const unsigned long long claim = i < anchors ? claims[at] : 0;
  const std::int32_t label = label_of(args.rule, 0, claim != 0, covered);
  const bool positive = i < anchors && label == kForeground;
  if (i < anchors) {
    const std::int32_t box = static_cast<std::int32_t>(0xFFFFFFFFu - static_cast<unsigned>(claim));
    args.labels[at] = positive ? truth.labels[box] : label;
    args.matches[at] = positive ? box - truth.offsets[image] : -1;
  }
  const int positives = __syncthreads_count(positive);
  if (threadIdx.x == 0 && positives > 0) atomicAdd(&args.positives[image], positives);
}

void match_by_atss(const MatchArgs& args, std::int64_t anchors, const LaunchConfig& per_anchor) {
  const std::int64_t total = args.truth.total;
  const Scratch<std::int32_t> candidates(total * args.grid.levels * args.rule.candidates);
  const Scratch<unsigned long long> claims(args.truth.images * anchors);
  claims.set_zero();
  launch(candidates_kernel, {.grid = blocks_for(total * args.grid.levels, kThreads), .block = kThreads}, args,
         candidates.data());
  launch(claim_kernel, {.grid = blocks_for(total, kThreads), .block = kThreads}, args, anchors, candidates.data(),
         claims.data());
  launch(atss_label_kernel, per_anchor, args, anchors, claims.data());
}

}  // namespace

void match_anchors(const MatchArgs& args) {
  const std::int64_t anchors = args.grid.size();
  const LaunchConfig config{.grid = {blocks_for(anchors, kThreads), static_cast<unsigned>(args.truth.images)},
                            .block = kThreads};
  const Scratch<std::int32_t> largest(args.rule.low_quality ? args.truth.total : 0);
  zero(args.positives, args.truth.images * sizeof(std::int32_t));
  if (args.rule.kind == MatchKind::atss) {
    match_by_atss(args, anchors, config);
    return;
  }
  if (args.rule.low_quality) {
    largest.set_zero();
    launch(largest_iou_kernel, config, args, anchors, largest.data());
  }
  launch(label_kernel, config, args, anchors, largest.data());
}

}  // namespace diopter::cuda
