// A classification loss as the loops over anchors call it on the CPU: classification_loss.cpp, hard_examples.cpp,
// pairs/elementwise_loss.cpp.
//
// The functions for a block of logits are compiled for each loss in a source of their own, which CMake writes
// (cmake/LossList.cmake) from loss_blocks.h, and chosen once per kernel call. So nothing else is compiled per loss, or
// again when a loss changes: the loops over blocks, for each type of logits, are in loss_loops.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/base/check.h"
#include "kernels/detection/box.h"
#include "kernels/detection/pointwise_loss.h"

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
      DIOPTER_CHECK(label >= 0 && label < classes, "label ", label, " of an anchor, with ", classes, " classes");
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
LossFunctions loss_functions(const AnyLoss& loss, const float* density_weights = nullptr);

/// The same for one of the losses; compiled for each in a source of its own.
template <class Loss>
LossFunctions functions_of(const Loss& loss, const float* density_weights);

}  // namespace diopter::cpu
