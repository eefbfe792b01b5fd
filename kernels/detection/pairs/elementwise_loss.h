// Classification loss of logits with a target each, as sigmoid_focal_loss of torchvision has it: no labels, no anchors.
//
//   losses[i]   = loss(logits[i], targets[i])            sum = scale * their sum
//   gradient[i] = scale * dloss/dlogit
//
// `loss` is any of losses/*.h, without selection of hard examples and weights by density.
// The sum is deterministic: a fixed map of logits to chunks, chunk sums added in order, in double.
// Start here: kernels/plain/elementwise_loss.h.
#pragma once

#include <cstdint>

#include "kernels/base/least_work.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

template <class T>
struct ElementwiseLossArgs {
  std::int64_t n;
  const T* logits;
  const float* targets;  // 0 or 1, of losses with soft targets in [0, 1]; for anything else the CPU throws Error, CUDA
                         // takes what is above 1/2 for 1
  float scale = 1;
  float* losses = nullptr;  // [n]; null: not wanted
  float* sum = nullptr;     // [1]; null: not wanted
  T* gradient = nullptr;    // [n]; null: not wanted
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void elementwise_loss(const ElementwiseLossArgs<T>& args, const AnyLoss& loss))

namespace diopter::cpu {

struct LossFunctions;

/// The same of a loss that is compiled elsewhere. soft: it has soft targets. T: float.
template <class T>
void elementwise_loss(const ElementwiseLossArgs<T>& args, const LossFunctions& loss, bool soft);

}  // namespace diopter::cpu

namespace diopter::least_work {

/// Logits and targets are read, losses and gradient written.
template <class T>
LeastWork elementwise_loss(const ElementwiseLossArgs<T>& args, const AnyLoss&) {
  return {.bytes = passes<T>(args.gradient ? 2 : 1, args.n).bytes + passes<float>(args.losses ? 2 : 1, args.n).bytes};
}

}  // namespace diopter::least_work
