// A classification loss as the loops over anchors call it on the CPU: classification_loss.cpp, hard_examples.cpp,
// pairs/elementwise_loss.cpp.
//
// The functions for a block of logits are compiled for each loss in a source of their own, which CMake writes
// (cmake/LossList.cmake) from loss_entry.h, and chosen once per kernel call. So nothing else is compiled per loss, or
// again when a loss changes: the loops over blocks, for each type of logits, are in loss_functions.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/base/check.h"
#include "kernels/detection/any_loss.h"
#include "kernels/detection/box.h"

namespace diopter::cpu {

/// What a positive logit learns and how much it weighs.
struct PositiveLogit {
  float quality = 1;                     // target, of a loss with soft ones
  const float* class_weights = nullptr;  // [classes]; null: 1 each
};

/// Logits with a target each, 0 or 1, or between for losses with soft ones.
template <class T>
struct LogitRun {
  const T* x;
  const float* targets;
  float* losses;  // null: not wanted
  T* dx;          // gradient, times scale; null: not wanted
  std::int64_t n;
  float scale;
};

/// Logits that a loss gets at once, so that the compiler vectorises the loop over it, in whole vectors of this size.
inline constexpr int kLossBlock = 128, kLossVector = 16;

/// Size of the whole vectors that hold n values, so that no loop goes over single ones.
inline int in_whole_vectors(int n) { return (n + kLossVector - 1) / kLossVector * kLossVector; }

/// Throws Error for a label that is neither a class nor kBackground nor kIgnore.
inline void check_label(std::int32_t label, std::int64_t classes) {
  DIOPTER_CHECK((label >= 0 && label < classes) || label == kBackground || label == kIgnore, "label ", label,
                " of an anchor, with ", classes, " classes");
}

/// What a loss makes of a block.
struct LossBlock {
  float values[kLossBlock], derivatives[kLossBlock];
};

struct LossFunctions {
  std::shared_ptr<const void> loss;  // the version that the functions take
  // Of n logits, whole vectors; targets [n].
  void (*negatives_of)(const void* loss, const float* x, int n, LossBlock& block) = nullptr;
  void (*elements_of)(const void* loss, const float* x, const float* targets, int n, LossBlock& block) = nullptr;
  ValueAndDerivative<float> (*positive_of)(const void* loss, float x, float quality) = nullptr;

  /// Sum of the losses of n negative logits. Writes their gradient, times scale, unless dx is null. T: float or bf16.
  template <class T>
  double negatives(const T* x, T* dx, std::int64_t n, float scale) const;
  /// Loss of a positive logit whose target, where the loss has soft ones, is `quality`.
  ValueAndDerivative<float> positive(float x, float quality) const { return positive_of(loss.get(), x, quality); }
  /// Sum of the losses of a run.
  template <class T>
  double elements(const LogitRun<T>& run) const;
  /// Calls f(derivative) for the logits x [classes] of an anchor with this label, which is not kIgnore.
  template <class T, class F>
  void for_each_derivative(const T* x, std::int32_t label, std::int64_t classes, const F& f) const {
    for (std::int64_t begin = 0; begin < classes; begin += kLossBlock) {
      const int n = static_cast<int>(std::min<std::int64_t>(kLossBlock, classes - begin));
      float logits[kLossBlock] = {}, targets[kLossBlock] = {};
      for (int i = 0; i < n; ++i) logits[i] = static_cast<float>(x[begin + i]);
      if (label >= begin && label < begin + n) targets[label - begin] = 1;
      LossBlock block;
      elements_of(loss.get(), logits, targets, in_whole_vectors(n), block);
      for (int i = 0; i < n; ++i) f(block.derivatives[i]);
    }
  }

  /// Adds to `sum` the losses of the anchor with this label and the logits x [classes]: one is positive, or none.
  /// Writes their gradient, times scale, unless dx is null: 0 for kIgnore. Throws Error for a label that is no class.
  template <class T>
  void add_anchor(double& sum, const T* x, T* dx, std::int32_t label, PositiveLogit target, std::int64_t classes,
                  float scale) const {
    const auto add_negatives = [&](std::int64_t begin, std::int64_t end) {
      sum += negatives(x + begin, dx ? dx + begin : nullptr, end - begin, scale);
    };
    if (label == kBackground) {
      add_negatives(0, classes);
    } else if (label == kIgnore) {
      if (dx) std::fill_n(dx, classes, T(0.0f));
    } else {
      check_label(label, classes);
      const ValueAndDerivative<float> l = positive(static_cast<float>(x[label]), target.quality);
      const float weight = target.class_weights ? target.class_weights[label] : 1.0f;
      sum += double{weight * l.value};
      if (dx) dx[label] = T(scale * (weight * l.derivative));
      add_negatives(0, label);
      add_negatives(label + 1, classes);
    }
  }
};

/// Those of the version that kernels run (with_kernel_version).
inline LossFunctions loss_functions(const AnyLoss& loss, const float* density_weights = nullptr) {
  return loss.entry().functions(loss.address(), density_weights);
}

}  // namespace diopter::cpu
