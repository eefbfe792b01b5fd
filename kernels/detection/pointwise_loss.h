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
//   gradient_density()       that logits weigh by how common their derivatives are, a GradientDensityRule, for a loss
//                            with |derivative| <= 1; may be missing: they weigh 1
//   class_focusing(), of_class(more)   that classes have exponents of their own by the gradients that they had, a
//                            ClassFocusingRule, and the loss with such an exponent; may be missing
//
// A fast version is a functor of another type that gives the same values and derivatives. Kernels run it in place of
// the loss, so it must not carry a formula of its own: it calls the loss (exponent.h) or another loss (ohem.h).
// tests/kernels/detection/losses_test.cpp compares both, for every loss and its parameters.
#pragma once

#include <cmath>
#include <concepts>
#include <type_traits>

#include "kernels/base/host_device.h"
#include "kernels/detection/logistic.h"

namespace diopter {

struct AnyLoss;  // one of them, with its parameters: any_loss.h

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

/// Weights by the density of gradients: see gradient_density.h.
struct GradientDensityRule {
  int bins;        // of |derivative| in [0, 1], at most kMostDensityBins
  float momentum;  // of the moving average of their counts, below 1
};
inline constexpr int kMostDensityBins = 256;

/// Exponents of classes by their gradients: see class_focusing.h.
struct ClassFocusingRule {
  float most;  // in addition to the loss's own exponent, for a class whose positives had no gradient
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

/// A loss whose logits weigh by how common their derivatives are.
template <class Loss>
concept WeighsByDensity = requires(const Loss& loss) {
  { loss.gradient_density() } -> std::same_as<GradientDensityRule>;
};

/// A loss whose exponent depends on the class.
template <class Loss>
concept FocusesByClass = requires(const Loss& loss) {
  { loss.class_focusing() } -> std::same_as<ClassFocusingRule>;
  { loss.of_class(0.0f) } -> std::same_as<Loss>;
};

/// Bin of [0, 1] that a derivative's size falls into; the last one for 1 and NaN.
template <class T>
DIOPTER_HD inline int density_bin(T derivative, int bins) {
  const T place = std::fabs(derivative) * T(bins);
  return place < T(bins) ? static_cast<int>(place) : bins - 1;
}

/// A loss times the weight of the bin of its derivative; the weight is a constant.
template <class Loss>
struct DensityWeighted {
  Loss loss;
  int bins;
  const float* weights;  // [bins]

  /// `logistic`: none, or the one that the loss shall take.
  template <class T, class... LogisticOf>
  DIOPTER_HD auto operator()(T x, bool positive, LogisticOf... logistic) const
      -> decltype(loss(x, positive, logistic...)) {
    const ValueAndDerivative<T> l = loss(x, positive, logistic...);
    const T weight = T(weights[density_bin(l.derivative, bins)]);
    return {weight * l.value, weight * l.derivative};
  }
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

/// Loss of a logit with this target in [0, 1]; hard targets are 0 and 1, and above 1/2 counts as 1.
template <class T, class Loss>
DIOPTER_HD inline ValueAndDerivative<T> loss_at_target(const Loss& loss, T x, T target) {
  if constexpr (SoftTargets<Loss>) {
    return loss.with_quality(x, target);
  } else {
    return loss(x, target > T(0.5));
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

/// Calls f with what the kernels over all logits run: the fast version, with the weights [bins] of a loss that weighs
/// by density where there are any.
template <class Loss, class F>
void with_kernel_version(const Loss& loss, const float* density_weights, const F& f) {
  with_fast_version(loss, [&](const auto& fast) {
    if constexpr (WeighsByDensity<Loss>) {
      using Fast = std::remove_cvref_t<decltype(fast)>;
      if (density_weights) return f(DensityWeighted<Fast>{fast, loss.gradient_density().bins, density_weights});
    }
    f(fast);
  });
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
