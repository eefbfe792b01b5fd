// Adam with decoupled weight decay, the shortest way. The fast versions: kernels/nn/adamw.{h,cpp,cu}.
//
//   g = gradient_scale * gradient;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
//   w = w * (1 - lr * weight_decay) - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
#pragma once

#include <cmath>

#include "kernels/nn/adamw.h"

namespace diopter::plain {

/// Segment after segment, value after value, in double.
inline void adamw_step(const AdamwArgs& args) {
  if (args.skip && *args.skip != 0) return;
  const double lr = args.rates[0], of_m = args.rates[1], of_v = args.rates[2];
  for (int s = 0; s < args.segment_count; ++s) {
    const AdamwSegment& segment = args.segments[s];
    for (std::int64_t i = 0; i < segment.count; ++i) {
      const double g = double{*args.gradient_scale} * segment.gradient[i];
      const double m = args.beta1 * segment.m[i] + (1 - args.beta1) * g;
      const double v = args.beta2 * segment.v[i] + (1 - args.beta2) * g * g;
      const double w = segment.w[i] * (1 - lr * segment.weight_decay) -
                       lr * (m / of_m) / (std::sqrt(v / of_v) + double{args.epsilon});
      segment.m[i] = static_cast<float>(m);
      segment.v[i] = static_cast<float>(v);
      segment.w[i] = static_cast<float>(w);
      if (segment.copy) segment.copy[i] = bf16(segment.w[i]);
    }
  }
}

}  // namespace diopter::plain
