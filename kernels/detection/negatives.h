// The loss of a run of negative logits on the CPU: nearly all the work of the classification loss, and the only loop
// that is compiled for each loss.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/base/bf16.h"
#include "kernels/detection/loss_functions.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

/// n negative logits: writes their gradient unless dx is null, returns the sum of their losses.
/// Blocks of floats let the compiler vectorise the loop over the loss. The losses of a block are added in float, vector
/// by vector, whatever the processor's vectors are; blocks in double.
template <class T, class Loss>
double negatives(const Loss& loss, const T* x, T* dx, std::int64_t n, float scale) {
  constexpr int kBlock = 128, kVector = 16;
  double total = 0;
  with_widest_vectors([=, &total] {
    float logits[kBlock], values[kBlock], derivatives[kBlock];
    double sum = 0;
    for (std::int64_t begin = 0; begin < n; begin += kBlock) {
      const int size = static_cast<int>(std::min<std::int64_t>(kBlock, n - begin));
      const int whole = (size + kVector - 1) / kVector * kVector;  // whole vectors: no loop over single logits
      for (int i = 0; i < size; ++i) logits[i] = static_cast<float>(x[begin + i]);
      for (int i = size; i < whole; ++i) logits[i] = 0;
      for (int i = 0; i < whole; ++i) {
        const ValueAndDerivative<float> l = loss(logits[i], false);
        values[i] = l.value;
        derivatives[i] = l.derivative;
      }
      for (int i = size; i < whole; ++i) values[i] = 0;
      for (int vector = kVector; vector < whole; vector += kVector) {
        for (int i = 0; i < kVector; ++i) values[i] += values[vector + i];
      }
      for (int i = 0; i < kVector; ++i) sum += static_cast<double>(values[i]);
      if (!dx) continue;
      for (int i = 0; i < size; ++i) dx[begin + i] = T(scale * derivatives[i]);
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
  });
  return functions;
}

}  // namespace diopter::cpu
