// Stochastic gradient descent with momentum, weight decay and Nesterov, in PyTorch's form (torch.optim.SGD):
//
//   g = gradient_scale * gradient + weight_decay * w
//   v = momentum * v + g           (on the first step v starts at 0)
//   w = w - lr * (nesterov ? g + momentum * v : v)
//
// One call for all parameters of a model: a table of segments, each with its own weight decay. The learning rate, the
// gradient scale (clipping) and the skip flag lie in device memory; sgd_control decides on the last two there, so that
// nobody waits for the gradients' norm:
//
//   norm = factor * sqrt(squared_norm)      gradient_scale = factor * min(1, clip_norm / norm)
//
// The segments are cut into chunks (kernels/nn/parameter_chunks.h).
//
// Start here: kernels/plain/sgd.h
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/nn/parameter_chunks.h"

namespace diopter {

struct SgdSegment {
  float* w;  // updated
  const float* gradient;
  float* velocity;  // updated
  bf16* copy;       // w rounded to bf16 is written here too, unless null
  std::int64_t count;
  float weight_decay;
  std::int64_t first_chunk = 0;  // chunks of the segments before
};

struct SgdArgs {
  const SgdSegment* segments;  // [segment_count], in device memory
  int segment_count;
  std::int64_t chunks;          // as number_chunks returned it
  std::int64_t values = 0;      // of all segments together, for the floor only
  const float* lr;              // [1]
  const float* gradient_scale;  // [1]
  const std::int32_t* skip;     // [1], nonzero: nothing is changed; null: never skip
  float momentum = 0.9f;
  bool nesterov = false;
};

/// The numbers that all values of a segment share in one step, and the formula.
struct SgdUpdate {
  float lr, gradient_scale, weight_decay, momentum;
  bool nesterov;

  DIOPTER_HD SgdUpdate(const SgdArgs& args, const SgdSegment& segment)
      : lr(*args.lr),
        gradient_scale(*args.gradient_scale),
        weight_decay(segment.weight_decay),
        momentum(args.momentum),
        nesterov(args.nesterov) {}

  DIOPTER_HD void operator()(float gradient, float& w, float& v) const {
    const float g = gradient_scale * gradient + weight_decay * w;
    v = momentum * v + g;
    w -= lr * (nesterov ? g + momentum * v : v);
  }
};

struct SgdControlArgs {
  const float* squared_norm;  // [1], of all gradients together
  const float* losses;        // [loss_count]: when one of them is not finite, the step is skipped too
  int loss_count;
  float factor;           // of the gradients: 1 / number of batches they are the sum of
  float clip_norm;        // 0: no clipping
  float* norm;            // [1], overwritten
  float* gradient_scale;  // [1], overwritten
  std::int32_t* skip;     // [1], set to 1 when a loss or the norm is not finite, else left as it is
};

DIOPTER_HD inline void control_sgd(const SgdControlArgs& args) {
  const float norm = args.factor * std::sqrt(*args.squared_norm);
  bool finite = std::isfinite(norm);
  for (int i = 0; i < args.loss_count; ++i) finite = finite && std::isfinite(args.losses[i]);
  if (!finite) *args.skip = 1;
  *args.norm = norm;
  const bool clips = args.clip_norm > 0 && norm > args.clip_norm;
  *args.gradient_scale = clips ? args.factor * (args.clip_norm / norm) : args.factor;
}

}  // namespace diopter

DIOPTER_KERNEL(void sgd_control(const SgdControlArgs& args); void sgd_step(const SgdArgs& args))

namespace diopter::least_work {

inline LeastWork sgd_control(const SgdControlArgs&) { return {}; }
/// Gradient read, weight and velocity read and written.
inline LeastWork sgd_step(const SgdArgs& args) { return passes<float>(5, args.values); }

}  // namespace diopter::least_work
