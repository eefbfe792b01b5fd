#include "kernels/detection/top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/common/check.h"
#include "kernels/common/parallel.h"
#include "kernels/detection/head_chunks.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kChunk = 1 << 16;  // logits

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

/// The k best logits of a chunk, in no order.
template <class T>
std::vector<Candidate> best_of_chunk(const TopKArgs<T>& args, const HeadChunk& chunk) {
  const HeadLevel<T>& level = args.logits.level[chunk.level];
  const std::int32_t pixel_size = args.logits.cells * args.logits.channels;
  const std::size_t k = args.k;
  std::vector<Candidate> best;
  float threshold = args.min_logit;
  for (std::int64_t pixel = chunk.pixel; pixel < chunk.pixel + chunk.pixels; ++pixel) {
    const T* logits = level.values + (chunk.image * level.pixels + pixel) * level.pixel_stride;
    for (std::int32_t i = 0; i < pixel_size; ++i) {
      const float logit = static_cast<float>(logits[i]);
      if (logit > threshold) best.push_back({logit, static_cast<std::int32_t>(pixel * pixel_size + i)});
    }
    // Indices rise, so that a later logit must be strictly larger than the k-th best to replace it.
    if (best.size() >= 4 * k && keep_best(best, k)) threshold = best[k - 1].logit;
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
  const std::vector<HeadChunk> chunks = head_chunks(heads, kChunk);
  std::vector<std::vector<Candidate>> of_chunk(chunks.size());
  parallel_for(static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t i, std::int64_t) {
    of_chunk[i] = best_of_chunk(args, chunks[i]);
  });

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
  parallel_for(heads.images, 1, [&](std::int64_t image, std::int64_t) {
    const auto clip = [&](float v, int axis) {
      return args.image_sizes ? std::min(std::max(v, 0.0f), args.image_sizes[image * 2 + axis]) : v;
    };
    std::int64_t out = image * capacity;
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      const std::int64_t in = (image * heads.count + l) * args.k;
      for (std::int64_t i = in; i < in + args.counts[image * heads.count + l]; ++i, ++out) {
        const std::int64_t anchor = args.indices[i] / args.classes;
        const T* x = level.values + (image * level.pixels + anchor / heads.cells) * level.pixel_stride +
                     anchor % heads.cells * 4;
        const float deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])};
        const Box a = args.grid.box(l, anchor);
        const BoxT<float> box = decode_box(args.coder, BoxT<float>{a.x1, a.y1, a.x2, a.y2}, deltas);
        args.boxes[out * 4 + 0] = clip(box.x1, 0);
        args.boxes[out * 4 + 1] = clip(box.y1, 1);
        args.boxes[out * 4 + 2] = clip(box.x2, 0);
        args.boxes[out * 4 + 3] = clip(box.y2, 1);
        args.scores[out] = args.sigmoid ? 1.0f / (1.0f + std::exp(-args.values[i])) : args.values[i];
        args.labels[out] = args.indices[i] % args.classes;
      }
    }
    args.candidates[image] = static_cast<std::int32_t>(out - image * capacity);
  });
}

template void top_k(const TopKArgs<float>&);
template void top_k(const TopKArgs<bf16>&);
template void decode_candidates(const DecodeArgs<float>&);
template void decode_candidates(const DecodeArgs<bf16>&);

}  // namespace diopter::cpu
