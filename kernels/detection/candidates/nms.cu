#include "kernels/detection/candidates/nms.h"

#include "kernels/detection/candidates/block_sort.cuh"
#include "kernels/device/scratch.h"
#include "kernels/toolkit/reduce.cuh"

namespace diopter::cuda {

namespace {

// Three launches for the whole batch: sort each image by score and then by class, suppress within each class, collect
// the survivors. O(boxes) memory: what a class has kept so far is compared with its next 32 boxes, and no matrix of
// overlaps is made. A rank is a box's place in the image's order, a place without further words one by class and rank.

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kImageThreads = 1024;

/// Scratch memory, [images, capacity] each.
struct Workspace {
  std::uint64_t* keys;     // by place: class << 32 | rank
  Box* boxes;              // by place
  std::int32_t* order;     // index of the box of a rank
  std::int32_t* survives;  // by rank
  Box* kept;               // boxes that each class has kept, in order, from the class's first place in `keys` on
};

/// One block per image. Sorts by (score descending, index), which gives the ranks, then by (class, rank), and lays the
/// boxes in that order. Keys are unique, so that the order is total. Shared memory: block_sort's.
__global__ void __launch_bounds__(kImageThreads) order_kernel(const __grid_constant__ NmsArgs args, Workspace work) {
  const int image = blockIdx.x, count = args.counts[image];
  const std::int64_t start = std::int64_t{image} * args.capacity;
  std::uint64_t* keys = work.keys + start;

  // Sort by score. A block owns its image's part of the workspace, so barriers of the block suffice.
  for (int i = threadIdx.x; i < count; i += kImageThreads) {
    keys[i] = sort_key(descending_bits(args.scores[start + i]), static_cast<std::uint32_t>(i));
  }
  __syncthreads();
  block_sort(keys, count);

  // A box's place is its rank now: write it down, and replace the key by (class, rank). Each thread reads and writes
  // places of its own only.
  for (int rank = threadIdx.x; rank < count; rank += kImageThreads) {
    const std::int32_t index = static_cast<std::int32_t>(lower_half(keys[rank]));
    const std::uint32_t group = args.class_aware ? static_cast<std::uint32_t>(args.labels[start + index]) : 0;
    work.order[start + rank] = index;
    work.survives[start + rank] = 0;
    keys[rank] = sort_key(group, static_cast<std::uint32_t>(rank));
  }
  __syncthreads();

  // Sort by class; within a class, ranks stay in order because they are part of the key.
  if (args.class_aware) block_sort(keys, count);

  // The boxes beside their keys: whoever goes through them need not look up where they are.
  for (int place = threadIdx.x; place < count; place += kImageThreads) {
    work.boxes[start + place] = box_at(args.boxes, start + work.order[start + lower_half(keys[place])]);
  }
}

/// One block per 32 places of an image's keys (image blockIdx.y): it handles, one after another, the classes that begin
/// there. It goes through a class 32 boxes at a time, a tile. Every warp holds the same 32, a box per lane, and tests
/// them against every kWarps-th box kept so far and every kWarps-th of the 32; the results meet in 1 KB of shared
/// memory, and every warp then settles the 32 for itself. The next tile is on its way from memory meanwhile. No order
/// of threads can change the result. Control flow depends on what all warps have in common, so that all threads come to
/// every barrier.
__global__ void __launch_bounds__(kThreads) suppress_kernel(const __grid_constant__ NmsArgs args, Workspace work) {
  __shared__ unsigned blockers_of_warp[kWarps][32];
  const int image = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int count = args.counts[image];
  const std::int64_t start = std::int64_t{image} * args.capacity;
  const std::uint64_t* keys = work.keys + start;
  const auto group = [&](int place) { return upper_half(keys[place]); };
  struct Entry {
    std::uint64_t key;
    Box box;
  };
  // Neither load needs the other's result. Behind the last place, the last again.
  const auto entry = [&](int place) {
    const int existing = min(place, count - 1);
    return Entry{keys[existing], work.boxes[start + existing]};
  };

  // Which of this block's 32 places begin a class: one bit per place, in every warp.
  const int candidate = blockIdx.x * 32 + lane;
  const bool begins = candidate < count && (candidate == 0 || group(candidate) != group(candidate - 1));
  for (unsigned left = __ballot_sync(kAllLanes, begins); left != 0; left &= left - 1) {
    const int begin = blockIdx.x * 32 + __ffs(left) - 1;
    const std::uint32_t members = group(begin);
    Box* kept = work.kept + start + begin;
    int kept_count = 0;
    Entry next = entry(begin + lane);
    for (int tile = begin; kept_count < args.max_kept; tile += 32) {
      // The class's next 32 boxes, one per lane; the last tile may have fewer members. Those after them are asked for
      // now, long before they are needed.
      const Box box = next.box;
      const std::uint32_t rank = lower_half(next.key);
      const bool member = tile + lane < count && upper_half(next.key) == members;
      if (!__any_sync(kAllLanes, member)) break;
      next = entry(tile + 32 + lane);
      const float area = box_area(box);
      const auto meets = [&](const Box& other) {
        return overlaps_more(other, box_area(other), box, area, args.iou_threshold);
      };

      // Find each box's blockers, a word per lane. Bit l < lane is set when the better box of lane l overlaps this one;
      // the lane's own bit is set when a box already kept overlaps it, or when the lane has no box. This warp's share
      // of the comparisons first, then the shares of all warps from shared memory.
      unsigned blockers = member ? 0 : 1u << lane;
      for (int i = warp; i < kept_count; i += kWarps) blockers |= meets(kept[i]) ? 1u << lane : 0;
      for (int l = warp; l < 32; l += kWarps) {
        const Box other{__shfl_sync(kAllLanes, box.x1, l), __shfl_sync(kAllLanes, box.y1, l),
                        __shfl_sync(kAllLanes, box.x2, l), __shfl_sync(kAllLanes, box.y2, l)};
        blockers |= l < lane && meets(other) ? 1u << l : 0;
      }
      blockers_of_warp[warp][lane] = blockers;
      __syncthreads();
      for (int w = 0; w < kWarps; ++w) blockers |= blockers_of_warp[w][lane];

      // Settle the 32, the same in every warp. Open boxes are undecided. In each round those that no open box blocks
      // survive, and the boxes that they block are out; the best open box is never blocked, so each round settles at
      // least one. There are as many rounds as the longest chain of overlapping boxes.
      unsigned open = __ballot_sync(kAllLanes, !(blockers >> lane & 1)), survivors = 0;
      while (open != 0) {
        const unsigned settled = __ballot_sync(kAllLanes, (open >> lane & 1) && !(blockers & open));
        survivors |= settled;
        open = __ballot_sync(kAllLanes, (open & ~settled) >> lane & 1 && !(blockers & settled));
      }

      // Append the survivors to the class's list, in order: a survivor's place is the number of those before it. The
      // barrier makes the list complete before any warp reads it, and shared memory free for the next tile.
      if (warp == 0 && survivors >> lane & 1) {
        kept[kept_count + __popc(survivors & ((1u << lane) - 1))] = box;
        work.survives[start + rank] = 1;
      }
      kept_count += __popc(survivors);
      __syncthreads();
    }
  }
}

/// One block per image: the first max_kept survivors by rank. Shared memory: that of the prefix sum.
__global__ void __launch_bounds__(kImageThreads) collect_kernel(const __grid_constant__ NmsArgs args, Workspace work) {
  const int image = blockIdx.x, count = args.counts[image];
  const std::int64_t start = std::int64_t{image} * args.capacity;
  std::int32_t* keep = args.keep + std::int64_t{image} * args.max_kept;
  int kept = 0;
  // 1024 ranks at a time; a survivor's place in the output is the number of survivors before it. `kept` is the same in
  // all threads, so all take part in every prefix sum.
  for (int first = 0; first < count && kept < args.max_kept; first += kImageThreads) {
    const int rank = first + static_cast<int>(threadIdx.x);
    const bool survives = rank < count && work.survives[start + rank] != 0;
    const Scan<int> place = block_exclusive_sum<kImageThreads>(int{survives});
    if (survives && kept + place.before < args.max_kept) keep[kept + place.before] = work.order[start + rank];
    kept += place.total;
  }
  if (threadIdx.x == 0) args.kept[image] = min(kept, args.max_kept);
}

/// One thread per place of the output, of image blockIdx.y.
__global__ void __launch_bounds__(kThreads) gather_kernel(const __grid_constant__ GatherArgs args) {
  const int image = blockIdx.y, i = static_cast<int>(thread_index());
  if (i < args.max_kept) args.out[std::int64_t{image} * args.max_kept + i] = kept_box(args, image, i);
}

}  // namespace

void batched_nms(const NmsArgs& args) {
  const std::int64_t places = std::int64_t{args.images} * args.capacity;
  const unsigned images = args.images;
  const Scratch<std::uint64_t> keys(places);
  const Scratch<std::int32_t> order(places), survives(places);
  const Scratch<Box> boxes(places), kept(places);
  const Workspace work{keys.data(), boxes.data(), order.data(), survives.data(), kept.data()};
  launch(order_kernel, {.grid = images, .block = kImageThreads, .shared = block_sort_bytes(args.capacity)}, args, work);
  launch(suppress_kernel, {.grid = {blocks_for(args.capacity, 32), images}, .block = kThreads}, args, work);
  launch(collect_kernel, {.grid = images, .block = kImageThreads}, args, work);
}

void gather_kept(const GatherArgs& args) {
  launch(gather_kernel,
         {.grid = {blocks_for(args.max_kept, kThreads), static_cast<unsigned>(args.images)}, .block = kThreads}, args);
}

}  // namespace diopter::cuda
