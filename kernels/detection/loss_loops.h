// The loops over logits on the CPU, which are compiled for each loss: runs of negative logits, nearly all the work of
// the classification loss, and logits with a target each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/base/bf16.h"
#include "kernels/detection/loss_functions.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

// Blocks of floats let the compiler vectorise the loop over the loss. The losses of a block are added in float, vector
// by vector, whatever the processor's vectors are; blocks in double.
inline constexpr int kLossBlock = 128, kLossVector = 16;

/// Size of the whole vectors that hold n values, so that no loop goes over single ones.
inline int in_whole_vectors(int n) { return (n + kLossVector - 1) / kLossVector * kLossVector; }

/// Adds the first n values of a block of kLossBlock to `sum`. The block may have other values then.
inline void add_block(double& sum, float* values, int n) {
  const int whole = in_whole_vectors(n);
  for (int i = n; i < whole; ++i) values[i] = 0;
  for (int vector = kLossVector; vector < whole; vector += kLossVector) {
    for (int i = 0; i < kLossVector; ++i) values[i] += values[vector + i];
  }
  for (int i = 0; i < kLossVector; ++i) sum += static_cast<double>(values[i]);
}

/// n negative logits: writes their gradient unless dx is null, returns the sum of their losses.
template <class T, class Loss>
double negatives(const Loss& loss, const T* x, T* dx, std::int64_t n, float scale) {
  double total = 0;
  with_widest_vectors([=, &total] {
    float logits[kLossBlock], values[kLossBlock], derivatives[kLossBlock];
    double sum = 0;
    for (std::int64_t begin = 0; begin < n; begin += kLossBlock) {
      const int size = static_cast<int>(std::min<std::int64_t>(kLossBlock, n - begin));
      const int whole = in_whole_vectors(size);
      for (int i = 0; i < size; ++i) logits[i] = static_cast<float>(x[begin + i]);
      for (int i = size; i < whole; ++i) logits[i] = 0;
      for (int i = 0; i < whole; ++i) {
        const ValueAndDerivative<float> l = loss(logits[i], false);
        values[i] = l.value;
        derivatives[i] = l.derivative;
      }
      add_block(sum, values, size);
      if (!dx) continue;
      for (int i = 0; i < size; ++i) dx[begin + i] = T(scale * derivatives[i]);
    }
    total = sum;
  });
  return total;
}

/// Logits with a target each: writes losses and gradient where they are wanted, returns the sum of the losses.
template <class T, class Loss>
double elements(const Loss& loss, const LogitRun<T>& run) {
  double total = 0;
  with_widest_vectors([=, &total] {
    float logits[kLossBlock], targets[kLossBlock], values[kLossBlock], derivatives[kLossBlock];
    double sum = 0;
    for (std::int64_t begin = 0; begin < run.n; begin += kLossBlock) {
      const int size = static_cast<int>(std::min<std::int64_t>(kLossBlock, run.n - begin));
      const int whole = in_whole_vectors(size);
      for (int i = 0; i < size; ++i) logits[i] = static_cast<float>(run.x[begin + i]);
      std::copy_n(run.targets + begin, size, targets);
      for (int i = size; i < whole; ++i) logits[i] = targets[i] = 0;
      for (int i = 0; i < whole; ++i) {
        const ValueAndDerivative<float> l = loss_at_target(loss, logits[i], targets[i]);
        values[i] = l.value;
        derivatives[i] = l.derivative;
      }
      if (run.losses) std::copy_n(values, size, run.losses + begin);
      add_block(sum, values, size);
      if (!run.dx) continue;
      for (int i = 0; i < size; ++i) run.dx[begin + i] = T(run.scale * derivatives[i]);
    }
    total = sum;
  });
  return total;
}

/// For one instantiation per loss and type.
template <class T, class Loss>
LossFunctions<T> functions_of(const Loss& loss, const float* density_weights) {
  LossFunctions<T> functions;
  with_kernel_version(loss, density_weights, [&]<class Fast>(const Fast& fast) {
    functions.loss = std::make_shared<Fast>(fast);
    functions.negatives_of = [](const void* erased, const T* x, T* dx, std::int64_t n, float scale) {
      return negatives(*static_cast<const Fast*>(erased), x, dx, n, scale);
    };
    functions.positive_of = [](const void* erased, float x, float quality) {
      return positive_loss(*static_cast<const Fast*>(erased), x, quality);
    };
    functions.elements_of = [](const void* erased, const LogitRun<T>& run) {
      return elements(*static_cast<const Fast*>(erased), run);
    };
  });
  return functions;
}

}  // namespace diopter::cpu
