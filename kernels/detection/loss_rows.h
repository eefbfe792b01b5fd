// The loss of consecutive anchors on the CPU: the loops that every use of a pointwise loss there shares.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/check.h"
#include "kernels/toolkit/widest_vectors.h"
#include "kernels/detection/box.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter::cpu {

/// n negative logits: writes their gradient unless dx is null, returns the sum of their losses.
/// Almost all logits are negative. Blocks of floats let the compiler vectorise the loop over the loss. The losses of a
/// block are added in float, vector by vector, whatever the processor's vectors are; blocks in double.
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

/// Sum over `rows` rows of `classes` logits without gaps; writes their gradient, times scale, unless dx is null.
template <class T, class Loss>
double rows_loss(const Loss& loss, const T* x, T* dx, const std::int32_t* labels, std::int64_t rows,
                 std::int64_t classes, float scale) {
  double sum = 0;
  for (std::int64_t row = 0; row < rows;) {
    const std::int32_t label = labels[row];
    std::int64_t next = row + 1;
    const T* logits = x + row * classes;
    T* gradient = dx ? dx + row * classes : nullptr;
    const auto negative_part = [&](std::int64_t begin, std::int64_t end) {
      sum += negatives(loss, logits + begin, gradient ? gradient + begin : nullptr, end - begin, scale);
    };
    if (label == kBackground) {  // almost every row: take as many as there are in one go
      while (next < rows && labels[next] == kBackground) ++next;
      negative_part(0, (next - row) * classes);
    } else if (label == kIgnore) {
      if (gradient) std::fill_n(gradient, classes, T(0.0f));
    } else {
      DIOPTER_CHECK(label >= 0 && label < classes, "label ", label, " of an anchor, with ", classes, " classes");
      const ValueAndDerivative<float> l = loss(static_cast<float>(logits[label]), true);
      sum += l.value;
      if (gradient) gradient[label] = T(scale * l.derivative);
      negative_part(0, label);
      negative_part(label + 1, classes);
    }
    row = next;
  }
  return sum;
}

}  // namespace diopter::cpu
