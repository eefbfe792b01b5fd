// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), in PyTorch's form (torch.optim.AdamW):
//
//   g = gradient_scale * gradient
//   w = w * (1 - lr * weight_decay)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)       t = 1, 2, ...: number of the step
//
// m and v start at 0. One call for all parameters of a model, as of sgd_step: a table of segments, each with its own
// weight decay, cut into chunks (kernels/nn/parameter_chunks.h). What changes from step to step lies in device memory:
// learning rate, 1 - beta1^t, 1 - beta2^t, and what sgd_control writes there, gradient scale and skip flag.
//
// Start here: kernels/plain/adamw.h
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/nn/parameter_chunks.h"

namespace diopter {

struct AdamwSegment {
  float* w;  // updated
  const float* gradient;
  float *m, *v;  // updated: moving averages of the gradient and of its square
  bf16* copy;    // w rounded to bf16 is written here too, unless null
  std::int64_t count;
  float weight_decay;
  std::int64_t first_chunk = 0;  // chunks of the segments before
};

struct AdamwArgs {
  const AdamwSegment* segments;  // [segment_count], in device memory
  int segment_count;
  std::int64_t chunks;          // as number_chunks returned it
  std::int64_t values = 0;      // of all segments together, for the floor only
  const float* rates;           // [3]: learning rate, 1 - beta1^t, 1 - beta2^t
  const float* gradient_scale;  // [1]
  const std::int32_t* skip;     // [1], nonzero: nothing is changed; null: never skip
  double beta1 = 0.9, beta2 = 0.999;
  float epsilon = 1e-8f;
};

/// The numbers that all values of a segment share in one step, and the formula. The betas come in double: 1 - 0.999f
/// would be off by 1e-5 of it.
struct AdamwUpdate {
  float gradient_scale, beta1, beta2, rest1, rest2, kept, step, root, epsilon;

  DIOPTER_HD AdamwUpdate(const AdamwArgs& args, const AdamwSegment& segment)
      : gradient_scale(*args.gradient_scale),
        beta1(static_cast<float>(args.beta1)),
        beta2(static_cast<float>(args.beta2)),
        rest1(static_cast<float>(1 - args.beta1)),
        rest2(static_cast<float>(1 - args.beta2)),
        kept(1 - args.rates[0] * segment.weight_decay),
        step(args.rates[0] / args.rates[1]),
        root(1 / std::sqrt(args.rates[2])),
        epsilon(args.epsilon) {}

  DIOPTER_HD void operator()(float gradient, float& w, float& m, float& v) const {
    const float g = gradient_scale * gradient;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    w = kept * w - step * (m / (std::sqrt(v) * root + epsilon));
  }
};

}  // namespace diopter

DIOPTER_KERNEL(void adamw_step(const AdamwArgs& args))

namespace diopter::least_work {

/// Gradient read; weight, m and v read and written.
inline LeastWork adamw_step(const AdamwArgs& args) { return passes<float>(7, args.values); }

}  // namespace diopter::least_work
