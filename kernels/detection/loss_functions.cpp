#include "kernels/detection/loss_functions.h"

#include <algorithm>
#include <type_traits>

#include "kernels/base/bf16.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

/// n values as floats, and zeros up to whole vectors: where they lie, or in `copy`.
template <class T>
const float* whole_vectors_of(const T* x, int n, float (&copy)[kLossBlock]) {
  const int whole = in_whole_vectors(n);
  if constexpr (std::is_same_v<T, float>) {
    if (n == whole) return x;
  }
  for (int i = 0; i < n; ++i) copy[i] = static_cast<float>(x[i]);
  for (int i = n; i < whole; ++i) copy[i] = 0;
  return copy;
}

/// Adds the first n values of a block to `sum`, in float vector by vector, whatever the processor's vectors are, and
/// what that gives in double. The block may have other values then.
void add_block(double& sum, float* values, int n) {
  const int whole = in_whole_vectors(n);
  for (int i = n; i < whole; ++i) values[i] = 0;
  for (int vector = kLossVector; vector < whole; vector += kLossVector) {
    for (int i = 0; i < kLossVector; ++i) values[i] += values[vector + i];
  }
  for (int i = 0; i < kLossVector; ++i) sum += static_cast<double>(values[i]);
}

}  // namespace

template <class T>
double LossFunctions::negatives(const T* x, T* dx, std::int64_t n, float scale) const {
  const void* of = loss.get();
  const auto block_of = negatives_of;
  double total = 0;
  with_widest_vectors([=, &total] {
    float copy[kLossBlock];
    LossBlock block;
    double sum = 0;
    for (std::int64_t begin = 0; begin < n; begin += kLossBlock) {
      const int size = static_cast<int>(std::min<std::int64_t>(kLossBlock, n - begin));
      block_of(of, whole_vectors_of(x + begin, size, copy), in_whole_vectors(size), block);
      add_block(sum, block.values, size);
      if (!dx) continue;
      for (int i = 0; i < size; ++i) dx[begin + i] = T(scale * block.derivatives[i]);
    }
    total = sum;
  });
  return total;
}

template <class T>
double LossFunctions::elements(const LogitRun<T>& run) const {
  const void* of = loss.get();
  const auto block_of = elements_of;
  double total = 0;
  with_widest_vectors([=, &total] {
    float copy[kLossBlock], targets[kLossBlock];
    LossBlock block;
    double sum = 0;
    for (std::int64_t begin = 0; begin < run.n; begin += kLossBlock) {
      const int size = static_cast<int>(std::min<std::int64_t>(kLossBlock, run.n - begin));
      block_of(of, whole_vectors_of(run.x + begin, size, copy), whole_vectors_of(run.targets + begin, size, targets),
               in_whole_vectors(size), block);
      if (run.losses) std::copy_n(block.values, size, run.losses + begin);
      add_block(sum, block.values, size);
      if (!run.dx) continue;
      for (int i = 0; i < size; ++i) run.dx[begin + i] = T(run.scale * block.derivatives[i]);
    }
    total = sum;
  });
  return total;
}

template double LossFunctions::negatives(const float*, float*, std::int64_t, float) const;
template double LossFunctions::negatives(const bf16*, bf16*, std::int64_t, float) const;
template double LossFunctions::elements(const LogitRun<float>&) const;
template double LossFunctions::elements(const LogitRun<bf16>&) const;

}  // namespace diopter::cpu
