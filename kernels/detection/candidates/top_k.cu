#include "kernels/detection/candidates/top_k.h"

#include "kernels/detection/candidates/block_sort.cuh"
#include "kernels/detection/head_cut.cuh"
#include "kernels/device/scratch.h"

namespace diopter::cuda {

namespace {

// Three launches for the whole batch. The first reads every logit once and puts those above the threshold into a buffer
// for each image and level. Where they are too many for it, a histogram taken on the way says which can be among the k
// best, and the second launch reads again and keeps only those; elsewhere it does nothing. The third picks and sorts.
// A candidate is a 64-bit key whose order is the total order: the smaller the better, and no two are equal. So the
// order in which threads append does not show in the result.

constexpr int kThreads = 256;
constexpr int kPacks = 4;
constexpr int kBins = kThreads;
constexpr int kSelectThreads = 1024;
constexpr std::int64_t kRoom = 16384;  // keys a buffer holds, at least

/// Logits to eighths, the largest in bin 0.
__device__ int bin_of(float logit) {
  const float eighths = 8.0f * (16.0f - logit);
  return eighths > 0.0f ? static_cast<int>(eighths < kBins - 1 ? eighths : kBins - 1) : 0;
}

__device__ std::uint64_t key_of(float logit, std::uint32_t index) { return sort_key(descending_bits(logit), index); }

/// Scratch memory; a segment is a level of an image, segment = image * levels + level.
struct Candidates {
  std::uint64_t* keys;  // [segments, room]
  std::int64_t room;    // at least k
  unsigned* counts;     // [2, segments]: how many the first and the second launch found; only `room` are kept
  unsigned* histogram;  // [segments, kBins] of the first launch
};

/// Appends the keys of the lanes with `chosen` to a segment's buffer: one atomic operation per warp. The count goes on
/// behind the end of the buffer, which tells the next launch how many there were; nothing is written there.
__device__ void append(const Candidates& out, unsigned* count, std::uint64_t* keys, bool chosen, std::uint64_t key) {
  const unsigned lanes = __ballot_sync(kAllLanes, chosen), lane = threadIdx.x % 32;
  if (lanes == 0) return;
  unsigned start = lane == 0 ? atomicAdd(count, static_cast<unsigned>(__popc(lanes))) : 0;
  start = __shfl_sync(kAllLanes, start, 0);
  const std::int64_t at = start + __popc(lanes & ((1u << lane) - 1));
  if (chosen && at < out.room) keys[at] = key;
}

/// A thread reads kPacks packs of 16 bytes, kThreads packs apart; a block takes kThreads * kPacks packs of one level of
/// image blockIdx.y. kAgain: the second launch. Shared memory: the block's histogram, 1 KB. Integer atomics only.
template <class T, bool kAgain>
__global__ void __launch_bounds__(kThreads)
    filter_kernel(const __grid_constant__ TopKArgs<T> args, const __grid_constant__ HeadTiles tiles, Candidates out) {
  constexpr int kSize = kPack<T>;
  __shared__ unsigned histogram[kBins];
  __shared__ int worst_bin;
  const HeadLevels<T>& heads = args.logits;
  const int image = blockIdx.y, l = tiles.level_of(blockIdx.x), segment = image * heads.count + l;
  const int segments = heads.images * heads.count, thread = threadIdx.x;

  // First launch: an empty histogram. Second launch: nothing to do where the buffer held all; else the bin of the k-th
  // best logit, from the histogram that the first launch left. The early return is the whole block's.
  if constexpr (kAgain) {
    if (out.counts[segment] <= out.room) return;
    const unsigned mine = out.histogram[segment * kBins + thread], k = args.k;
    const unsigned before = block_exclusive_sum<kThreads>(mine).before;
    if (before < k && k <= before + mine) worst_bin = thread;  // the k-th best lies here: true for one thread
  } else {
    histogram[thread] = 0;
  }
  __syncthreads();

  // Loads: all packs are requested before the first is looked at. Where a pack is cut by padding or by the end of the
  // level, its values are read one by one, and NaN, which is never above the threshold, fills the rest.
  const HeadRuns runs = tiles.level[l];
  const T* x = heads.level[l].values + std::int64_t{image} * runs.size;
  const bool packed = aligned(x);
  const std::uint32_t first = ((blockIdx.x - runs.first_block) * kPacks * kThreads + thread) * kSize;
  const auto place = [&](int p) { return first + p * kThreads * kSize; };

  Pack<T> logits[kPacks];
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const std::uint32_t e = place(p);
    if (packed && e < runs.size && runs.value(e).left >= kSize) {
      logits[p] = load(x + e);
    } else {
#pragma unroll
      for (int i = 0; i < kSize; ++i) {
        const bool exists = e + i < runs.size && runs.value(e + i).left > 0;
        logits[p][i] = exists ? static_cast<float>(x[e + i]) : NAN;
      }
    }
  }

  // Selection: hardly any pack has a logit above the threshold, and a warp without one goes on at once. All lanes stay
  // in step for `append`, which numbers the chosen ones. Which thread gets which place of the buffer is a race without
  // consequence: the third launch sorts.
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    bool any = false;
#pragma unroll
    for (int i = 0; i < kSize; ++i) any |= logits[p][i] > args.min_logit;
    if (!__any_sync(kAllLanes, any)) continue;
#pragma unroll
    for (int i = 0; i < kSize; ++i) {
      const float logit = logits[p][i];
      bool chosen = logit > args.min_logit;
      if constexpr (kAgain) {
        chosen = chosen && bin_of(logit) <= worst_bin;
      } else if (chosen) {
        atomicAdd(&histogram[bin_of(logit)], 1u);
      }
      append(out, out.counts + (kAgain ? segments + segment : segment), out.keys + segment * out.room, chosen,
             key_of(logit, runs.value(place(p) + i).index));
    }
  }

  // The block's histogram is added to the segment's, a bin per thread: sums of integers in any order.
  if constexpr (!kAgain) {
    __syncthreads();
    if (histogram[thread] > 0) atomicAdd(&out.histogram[segment * kBins + thread], histogram[thread]);
  }
}

/// Calls f(key) once for each candidate of a segment, in any order, with the threads of the block taking turns: those
/// in the buffer or, where even the second launch found too many (all logits nearly equal), all logits.
template <class T, class F>
__device__ void for_each_candidate(const TopKArgs<T>& args, const HeadTiles& tiles, const Candidates& candidates,
                                   int segment, unsigned count, const F& f) {
  const HeadLevels<T>& heads = args.logits;
  const int l = segment % heads.count;
  if (count <= candidates.room) {
    const std::uint64_t* keys = candidates.keys + segment * candidates.room;
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) f(keys[i]);
    return;
  }
  const HeadRuns runs = tiles.level[l];
  const T* x = heads.level[l].values + std::int64_t{segment / heads.count} * runs.size;
  for (std::uint32_t e = threadIdx.x; e < runs.size; e += blockDim.x) {
    const HeadValue value = runs.value(e);
    if (value.left <= 0) continue;
    const float logit = static_cast<float>(x[e]);
    if (logit > args.min_logit) f(key_of(logit, value.index));
  }
}

/// A bound that exactly `wanted` candidates do not exceed: found digit by digit of 8 bits, from the highest, until all
/// candidates with the digits found so far are wanted. visit(f) calls f for all candidates. For blocks of
/// kSelectThreads.
template <class Visit>
__device__ std::uint64_t kth_smallest(unsigned wanted, const Visit& visit) {
  constexpr int kDigits = 256;
  __shared__ unsigned histogram[kDigits], digit, before;
  std::uint64_t prefix = 0;
  const unsigned thread = threadIdx.x;
  for (int shift = 56;; shift -= 8) {
    // Count the candidates that share all higher digits with the one looked for, by this digit.
    if (thread < kDigits) histogram[thread] = 0;
    __syncthreads();
    visit([&](std::uint64_t key) {
      if (shift == 56 || key >> (shift + 8) == prefix) atomicAdd(&histogram[key >> shift & 255], 1u);
    });
    __syncthreads();
    // The digit where the running count reaches `wanted`: true for exactly one thread, which tells the others. Threads
    // beyond the digits have none to count.
    const unsigned mine = thread < kDigits ? histogram[thread] : 0;
    const unsigned smaller = block_exclusive_sum<kSelectThreads>(mine).before;
    if (smaller < wanted && wanted <= smaller + mine) {
      digit = thread;
      before = smaller;
    }
    __syncthreads();
    // Go on among those with that digit. The barrier lets all read before the next round clears the histogram.
    prefix = prefix << 8 | digit;
    wanted -= before;
    const bool all_wanted = histogram[digit] == wanted;
    __syncthreads();
    if (all_wanted || shift == 0) return ((prefix + 1) << shift) - 1;
  }
}

/// One block per segment: the k-th best key, then all that are not worse, gathered with an atomic counter and sorted.
/// best: [segments, k]. Shared memory: block_sort's, 1 KB of histogram, that of the prefix sum.
template <class T>
__global__ void __launch_bounds__(kSelectThreads)
    select_kernel(const __grid_constant__ TopKArgs<T> args, const __grid_constant__ HeadTiles tiles,
                  Candidates candidates, std::uint64_t* best) {
  __shared__ int gathered;
  const int segment = blockIdx.x, thread = threadIdx.x;
  const unsigned found = candidates.counts[segment];
  const unsigned count = found <= candidates.room ? found : candidates.counts[gridDim.x + segment];
  const unsigned k = args.k;
  const std::int64_t out = std::int64_t{segment} * k;
  const auto visit = [&](const auto& f) { for_each_candidate(args, tiles, candidates, segment, count, f); };

  // Bound, in every thread: the k-th best key, or none where there are no more than k.
  const std::uint64_t bound = found > k ? kth_smallest(k, visit) : ~std::uint64_t{0};

  // Gather the keys within the bound, k at most because no two are equal, in any order.
  if (thread == 0) gathered = 0;
  __syncthreads();
  visit([&](std::uint64_t key) {
    if (key <= bound) best[out + atomicAdd(&gathered, 1)] = key;
  });
  __syncthreads();

  // Sort and unpack. block_sort ends in step, so that all threads see the sorted keys.
  const int selected = gathered;
  block_sort(best + out, selected);
  for (int i = thread; i < selected; i += kSelectThreads) {
    args.indices[out + i] = static_cast<std::int32_t>(lower_half(best[out + i]));
    args.values[out + i] = from_descending_bits(upper_half(best[out + i]));
  }
  if (thread == 0) args.counts[segment] = selected;
}

/// One thread per place of a candidate: image blockIdx.y, level and rank from the index. No shared memory; what is
/// written where depends on the counts only.
template <class T>
__global__ void __launch_bounds__(kThreads) decode_kernel(const __grid_constant__ DecodeArgs<T> args) {
  const HeadLevels<T>& heads = args.deltas;
  const int image = blockIdx.y;
  const std::int64_t i = thread_index(), capacity = std::int64_t{heads.count} * args.k;
  const std::int32_t* counts = args.counts + std::int64_t{image} * heads.count;
  // The first thread of an image counts its candidates.
  if (i == 0) {
    std::int32_t candidates = 0;
    for (int l = 0; l < heads.count; ++l) candidates += counts[l];
    args.candidates[image] = candidates;
  }
  if (i >= capacity) return;
  // Candidates lie in front, level after level: those of lower levels come before this one's. So no two threads write
  // the same place.
  const int l = static_cast<int>(i / args.k), rank = static_cast<int>(i % args.k);
  if (rank >= counts[l]) return;
  std::int64_t out = image * capacity + rank;
  for (int lower = 0; lower < l; ++lower) out += counts[lower];

  decode_candidate(args, image, l, rank, out);
}

}  // namespace

template <class T>
void top_k(const TopKArgs<T>& args) {
  const HeadTiles tiles(args.logits, kThreads * kPacks * kPack<T>);
  const unsigned images = args.logits.images;
  const std::int64_t segments = std::int64_t{images} * args.logits.count;
  const std::int64_t room = args.k > kRoom / 2 ? std::int64_t{args.k} * 2 : kRoom;
  const Scratch<std::uint64_t> keys(segments * room), best(segments * args.k);
  const Scratch<unsigned> counts(segments * (2 + kBins));
  counts.set_zero();
  const Candidates candidates{keys.data(), room, counts.data(), counts.data() + 2 * segments};
  const LaunchConfig config{.grid = {static_cast<unsigned>(tiles.blocks), images}, .block = kThreads};
  launch(filter_kernel<T, false>, config, args, tiles, candidates);
  launch(filter_kernel<T, true>, config, args, tiles, candidates);
  launch(select_kernel<T>,
         {.grid = static_cast<unsigned>(segments), .block = kSelectThreads, .shared = block_sort_bytes(args.k)}, args,
         tiles, candidates, best.data());
}

template <class T>
void decode_candidates(const DecodeArgs<T>& args) {
  // At least one block per image: it writes the number of candidates.
  const unsigned blocks = blocks_for(std::int64_t{args.deltas.count} * args.k + 1, kThreads);
  launch(decode_kernel<T>, {.grid = {blocks, static_cast<unsigned>(args.deltas.images)}, .block = kThreads}, args);
}

template void top_k(const TopKArgs<float>&);
template void top_k(const TopKArgs<bf16>&);
template void decode_candidates(const DecodeArgs<float>&);
template void decode_candidates(const DecodeArgs<bf16>&);

}  // namespace diopter::cuda
