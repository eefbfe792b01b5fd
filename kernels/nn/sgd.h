// Stochastic gradient descent with momentum, weight decay and Nesterov, in PyTorch's form (torch.optim.SGD):
//
//   g = gradient_scale * gradient + weight_decay * w
//   v = momentum * v + g           (on the first step v starts at 0)
//   w = w - lr * (nesterov ? g + momentum * v : v)
//
// One call for all parameters of a model: a table of segments, each with its own learning-rate factor and weight decay.
// The learning rate, the gradient scale (clipping) and the skip flag lie in device memory.
#pragma once

#include <cstdint>

#include "kernels/common/bf16.h"
#include "kernels/common/host_device.h"

namespace diopter {

struct SgdSegment {
  float* w;               // updated
  const float* gradient;
  float* velocity;        // updated
  bf16* copy;             // w rounded to bf16 is written here too, unless null
  std::int64_t count;
  float lr_factor;
  float weight_decay;
};

struct SgdArgs {
  const SgdSegment* segments;     // [segment_count], in device memory
  int segment_count;
  const float* lr;                // [1]
  const float* gradient_scale;    // [1]
  const std::int32_t* skip;       // [1], nonzero: nothing is changed; null: never skip
  float momentum = 0.9f;
  bool nesterov = false;
};

}  // namespace diopter

DIOPTER_KERNEL(void sgd_step(const SgdArgs& args))
