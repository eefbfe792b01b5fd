// The contract of losses/*.h, losses of one logit (docs/adding_a_loss.md).
//
// losses/NAME.h defines the struct NameLoss, its members being the loss's parameters:
//   loss(x, positive) -> {value, derivative with respect to x}, for float and double
//   loss(x, positive, logistic)   the same with another function in the place of logistic.h's; may be missing
//   source                   where the formula comes from
//   parameters               table of LossParameter; may be missing
//   with_fast_version(f)     calls f with a fast version of the loss for its parameters; may be missing
//   with_quality(x, y)       {value, derivative} at a positive with the soft target y in [0, 1]: loss(x, true) at
//                            y = 1, loss(x, false) at y = 0; may be missing: positives have the target 1
//   hard_examples()          which anchors are trained on, a HardExampleRule; may be missing: all
//
// A fast version is a functor of another type that gives the same values and derivatives. Kernels run it in place of
// the loss, so it must not carry a formula of its own: it calls the loss (exponent.h) or another loss (ohem.h).
// tests/kernels/detection/losses_test.cpp compares both, for every loss and its parameters.
#pragma once

#include <concepts>
#include <type_traits>

#include "kernels/base/host_device.h"
#include "kernels/detection/logistic.h"

namespace diopter {

struct AnyLoss;  // one of them, with its parameters: loss_list.h

template <class T>
struct ValueAndDerivative {
  T value, derivative;
};

/// A member of a loss as configuration, command line, help and errors know it.
template <class Loss>
struct LossParameter {
  using Member = float Loss::*;

  const char* name;
  Member member;
  float lowest, highest;  // both allowed
  const char* meaning;
  bool whole = false;  // whole numbers only
};

/// Which anchors of an image are trained on: see hard_examples.h.
struct HardExampleRule {
  int batch;                       // anchors, at most
  float nms_iou;                   // they overlap by at most so much
  int candidates;                  // of each level so many with the highest loss are looked at
  int negatives_per_positive = 0;  // 0: as they come
};

template <class Loss>
concept PointwiseLoss = requires {
  sizeof(Loss);
}
&&std::is_trivially_copyable_v<Loss>&& std::is_default_constructible_v<Loss>&& requires(const Loss& loss) {
  { loss(0.0f, true) } -> std::same_as<ValueAndDerivative<float>>;
  { loss(0.0, true) } -> std::same_as<ValueAndDerivative<double>>;
  { Loss::source } -> std::convertible_to<const char*>;
};

/// A loss whose positives have soft targets: the IoU of the decoded box with the box that it is to become.
template <class Loss>
concept SoftTargets = requires(const Loss& loss) {
  loss.with_quality(0.0, 0.0);
};

/// Loss of a positive logit with the target `quality`, which hard targets ignore.
template <class T, class Loss>
DIOPTER_HD inline ValueAndDerivative<T> positive_loss(const Loss& loss, T x, T quality) {
  if constexpr (SoftTargets<Loss>) {
    return loss.with_quality(x, quality);
  } else {
    return loss(x, true);
  }
}

/// Weight of a logit where positives weigh alpha and negatives 1 - alpha.
template <class T>
DIOPTER_HD inline T class_weight(float alpha, bool positive) {
  return positive ? T(alpha) : T(1) - T(alpha);
}

/// Calls f with the fast version of a loss: the one that its member with_fast_version offers, else the loss itself.
template <class Loss, class F>
void with_fast_version(const Loss& loss, const F& f) {
  if constexpr (requires { loss.with_fast_version(f); }) {
    loss.with_fast_version(f);
  } else {
    f(loss);
  }
}

/// loss(x, positive) as the CUDA kernel over all logits computes it: with GpuLogistic where the loss lets it.
template <class Loss>
DIOPTER_HD inline ValueAndDerivative<float> loss_on_gpu(const Loss& loss, float x, bool positive) {
  if constexpr (requires { loss(x, positive, GpuLogistic<>{}); }) {
    return loss(x, positive, GpuLogistic<>{});
  } else {
    return loss(x, positive);
  }
}

}  // namespace diopter
