// Stochastic gradient descent, the shortest way. The fast versions: kernels/nn/sgd.{h,cpp,cu}.
//
//   g = gradient_scale * gradient + weight_decay * w;  v = momentum * v + g
//   w = w - lr * (nesterov ? g + momentum * v : v)
#pragma once

#include "kernels/nn/sgd.h"

namespace diopter::plain {

/// Segment after segment, value after value; the chunks do not matter here.
inline void sgd_step(const SgdArgs& args) {
  if (args.skip && *args.skip != 0) return;
  for (int s = 0; s < args.segment_count; ++s) {
    const SgdSegment& segment = args.segments[s];
    for (std::int64_t i = 0; i < segment.count; ++i) {
      float &w = segment.w[i], &v = segment.velocity[i];
      const float g = *args.gradient_scale * segment.gradient[i] + segment.weight_decay * w;
      v = args.momentum * v + g;
      w -= *args.lr * (args.nesterov ? g + args.momentum * v : v);
      if (segment.copy) segment.copy[i] = bf16(w);
    }
  }
}

}  // namespace diopter::plain
