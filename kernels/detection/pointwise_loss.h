// What a loss of one logit looks like: the contract of losses/*.h (docs/adding_a_loss.md).
//
// losses/NAME.h defines the struct NameLoss, its members being the loss's parameters:
//   loss(x, positive) -> {value, derivative with respect to x}, for float and double
//   source                   where the formula comes from
//   parameters               table of LossParameter; may be missing
//   in_fastest_form(f)       calls f with an equal, faster loss; may be missing
//   hard_examples()          which anchors are trained on, a HardExampleRule; may be missing: all
#pragma once

#include <concepts>
#include <type_traits>

#include "kernels/base/host_device.h"

namespace diopter {

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
concept PointwiseLoss =
    requires { sizeof(Loss); } && std::is_trivially_copyable_v<Loss> && std::is_default_constructible_v<Loss> &&
    requires(const Loss& loss) {
      { loss(0.0f, true) } -> std::same_as<ValueAndDerivative<float>>;
      { loss(0.0, true) } -> std::same_as<ValueAndDerivative<double>>;
      { Loss::source } -> std::convertible_to<const char*>;
    };

/// Weight of a logit where positives weigh alpha and negatives 1 - alpha.
template <class T>
DIOPTER_HD inline T class_weight(float alpha, bool positive) {
  return positive ? T(alpha) : T(1) - T(alpha);
}

/// Calls f with the fastest form of a loss: the one that its member in_fastest_form offers, else the loss itself.
template <class Loss, class F>
void with_fastest_form(const Loss& loss, const F& f) {
  if constexpr (requires { loss.in_fastest_form(f); }) {
    loss.in_fastest_form(f);
  } else {
    f(loss);
  }
}

}  // namespace diopter
