#include "kernels/nn/sgd.h"

#include <algorithm>
#include <vector>

#include "kernels/common/parallel.h"

namespace diopter::cpu {

namespace {

/// The step for values [begin, end) of one segment.
void step(const SgdArgs& args, const SgdSegment& s, std::int64_t begin, std::int64_t end) {
  const float lr = *args.lr * s.lr_factor, scale = *args.gradient_scale, momentum = args.momentum;
  const float weight_decay = s.weight_decay;
  float *w = s.w, *velocity = s.velocity;
  const float* gradient = s.gradient;
  for (std::int64_t i = begin; i < end; ++i) {
    const float g = scale * gradient[i] + weight_decay * w[i];
    const float v = momentum * velocity[i] + g;
    velocity[i] = v;
    w[i] -= lr * (args.nesterov ? g + momentum * v : v);
  }
  if (s.copy) {
    for (std::int64_t i = begin; i < end; ++i) s.copy[i] = bf16(w[i]);
  }
}

}  // namespace

void sgd_step(const SgdArgs& args) {
  if (args.skip && *args.skip) return;
  // All segments are one list of values, so that many small ones make few pieces of work.
  std::vector<std::int64_t> first(args.segment_count + 1);
  for (int i = 0; i < args.segment_count; ++i) first[i + 1] = first[i] + args.segments[i].count;
  parallel_for(first.back(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    auto i = std::upper_bound(first.begin(), first.end(), begin) - first.begin() - 1;
    for (; begin < end; begin = first[++i]) {
      step(args, args.segments[i], begin - first[i], std::min(end, first[i + 1]) - first[i]);
    }
  });
}

}  // namespace diopter::cpu
