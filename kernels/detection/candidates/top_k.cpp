#include "kernels/detection/candidates/top_k.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/detection/head_cut.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kTopKChunk = 1 << 16;  // logits
constexpr std::int64_t kBlock = 32;

struct Candidate {
  float logit;
  std::int32_t index;
  bool operator<(const Candidate& other) const {  // the total order: the better first
    return logit > other.logit || (logit == other.logit && index < other.index);
  }
};

/// Keeps the k best, in no order; returns whether there were more.
bool keep_best(std::vector<Candidate>& candidates, std::size_t k) {
  if (candidates.size() <= k) return false;
  std::nth_element(candidates.begin(), candidates.begin() + (k - 1), candidates.end());
  candidates.resize(k);
  return true;
}

/// First logit, from `begin` on in steps of kBlock, of a block with one above the threshold; n or more if there is
/// none. Hardly any block has one, and a block is tested without branches, which vectorises.
template <class T>
std::int64_t next_block(const T* logits, std::int64_t begin, std::int64_t n, float threshold) {
  std::int64_t found = n;
  with_widest_vectors([=, &found] {
    std::int64_t block = begin;
    for (int above = 0; block < n; block += kBlock) {
      if (n - block >= kBlock) {
        for (int i = 0; i < kBlock; ++i) above |= static_cast<float>(logits[block + i]) > threshold;
      } else {
        for (std::int64_t i = block; i < n; ++i) above |= static_cast<float>(logits[i]) > threshold;
      }
      if (above) break;
    }
    found = block;
  });
  return found;
}

/// The k best logits of a chunk, in no order.
template <class T>
std::vector<Candidate> best_of_chunk(const TopKArgs<T>& args, const HeadChunk& chunk) {
  const HeadLevel<T>& level = args.logits.level[chunk.level];
  const std::int64_t pixel_size = std::int64_t{args.logits.cells} * args.logits.channels;
  const bool gaps = level.pixel_stride != pixel_size;
  const std::int64_t pieces = gaps ? chunk.pixels : 1, size = chunk.pixels * pixel_size / pieces;
  const std::size_t k = args.k;
  std::vector<Candidate> best;
  float threshold = args.min_logit;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const std::int64_t pixel = chunk.pixel + piece;
    const T* logits = level.values + (chunk.image * level.pixels + pixel) * level.pixel_stride;
    for (std::int64_t block = 0; (block = next_block(logits, block, size, threshold)) < size; block += kBlock) {
      for (std::int64_t i = block; i < std::min(block + kBlock, size); ++i) {
        const float logit = static_cast<float>(logits[i]);
        if (logit > threshold) best.push_back({logit, static_cast<std::int32_t>(pixel * pixel_size + i)});
      }
      // Indices rise, so that a later logit must be strictly larger than the k-th best to replace it.
      if (best.size() >= 4 * k && keep_best(best, k)) threshold = best[k - 1].logit;
    }
  }
  keep_best(best, k);
  return best;
}

}  // namespace

template <class T>
void top_k(const TopKArgs<T>& args) {
  const HeadLevels<T>& heads = args.logits;
  for (int l = 0; l < heads.count; ++l) {
    DIOPTER_CHECK(heads.level[l].pixels * heads.cells * heads.channels <= std::numeric_limits<std::int32_t>::max(),
                  "level ", l, " has more than 2^31 - 1 logits an image");
  }
  const std::vector<HeadChunk> chunks = head_chunks(heads, kTopKChunk);
  std::vector<std::vector<Candidate>> of_chunk(chunks.size());
  parallel_for(static_cast<std::int64_t>(chunks.size()), 1,
               [&](std::int64_t i, std::int64_t) { of_chunk[i] = best_of_chunk(args, chunks[i]); });

  const std::int64_t outputs = std::int64_t{heads.images} * heads.count;
  std::vector<std::vector<Candidate>> of_level(outputs);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    std::vector<Candidate>& all = of_level[std::int64_t{chunks[i].image} * heads.count + chunks[i].level];
    all.insert(all.end(), of_chunk[i].begin(), of_chunk[i].end());
  }
  parallel_for(outputs, 1, [&](std::int64_t output, std::int64_t) {
    std::vector<Candidate>& best = of_level[output];
    keep_best(best, args.k);
    std::sort(best.begin(), best.end());
    for (std::size_t i = 0; i < best.size(); ++i) {
      args.indices[output * args.k + i] = best[i].index;
      args.values[output * args.k + i] = best[i].logit;
    }
    args.counts[output] = static_cast<std::int32_t>(best.size());
  });
}

template <class T>
void decode_candidates(const DecodeArgs<T>& args) {
  const HeadLevels<T>& heads = args.deltas;
  const std::int64_t capacity = std::int64_t{heads.count} * args.k;
  std::vector<std::int64_t> first(std::int64_t{heads.images} * heads.count);  // where a level of an image begins
  for (std::int64_t image = 0; image < heads.images; ++image) {
    std::int32_t total = 0;
    for (std::int64_t i = image * heads.count; i < (image + 1) * heads.count; ++i) {
      first[i] = image * capacity + total;
      total += args.counts[i];
    }
    args.candidates[image] = total;
  }
  parallel_for(std::int64_t{heads.images} * heads.count, 1, [&](std::int64_t of_level, std::int64_t) {
    const int l = static_cast<int>(of_level % heads.count);
    const std::int64_t image = of_level / heads.count;
    for (std::int32_t rank = 0; rank < args.counts[of_level]; ++rank) {
      decode_candidate(args, image, l, rank, first[of_level] + rank);
    }
  });
}

template void top_k(const TopKArgs<float>&);
template void top_k(const TopKArgs<bf16>&);
template void decode_candidates(const DecodeArgs<float>&);
template void decode_candidates(const DecodeArgs<bf16>&);

}  // namespace diopter::cpu
