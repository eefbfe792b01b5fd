// Mean and variance in one pass: a value or a set at a time as in moments.h, and many sets by sums about a reference.
//
// One pass, because x is read from memory: the sum of squares minus the square of the sum would need double for every
// element (slow on most GPUs) or lose the variance where the mean is large; deviations from the running mean do not.
#pragma once

#include "kernels/nn/moments.h"
#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

/// Sums over many sets of values, which give the moments of all together. Without a division per set, which Chan's rule
/// has: GPUs have few units for double. About a reference r, the mean of one of the sets:
///
///   n = sum n_i,  a = sum n_i (mean_i - r),  b = sum m2_i + n_i (mean_i - r)^2      mean = r + a / n,  m2 = b - a^2 /
///   n
///
/// The last difference cancels little: n_r (mean - r)^2 <= m2, so that a^2 / n is at most n / n_r times m2.
struct MomentSums {
  double n, a, b;

  __device__ static MomentSums of(const Moments<float>& set, double r) {
    const double n = set.n, distance = set.mean - r;
    return {n, n * distance, set.m2 + n * distance * distance};
  }
  __device__ MomentSums& operator+=(const MomentSums& other) {
    n += other.n;
    a += other.a;
    b += other.b;
    return *this;
  }
  __device__ Moments<double> about(double r) const {
    if (n == 0) return {};
    const double shift = a / n;
    return {n, r + shift, b - a * shift};
  }
};

}  // namespace diopter::cuda
