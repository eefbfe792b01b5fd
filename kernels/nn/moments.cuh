// Mean and variance in one pass: Welford 1962 for one more value, Chan, Golub and LeVeque 1979 for two sets, sums about
// a reference for many sets.
//
// One pass, because x is read from memory: the sum of squares minus the square of the sum would need double for every
// element (slow on most GPUs) or lose the variance where the mean is large; deviations from the running mean do not.
#pragma once

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

template <class S>
struct Moments {
  S n, mean, m2;  // number of values, their mean, sum of the squared distances from it

  /// One more value; reciprocal = 1 / (n + 1), which neighbouring channels share.
  __device__ void add(S x, S reciprocal) {
    const S before = x - mean;
    n += S(1);
    mean += before * reciprocal;
    m2 += before * (x - mean);
  }

  template <class R>
  __device__ Moments& operator+=(const Moments<R>& other) {
    if (other.n == R(0)) return *this;
    const S all = n + S(other.n), distance = S(other.mean) - mean;
    const S share = S(other.n) == n ? S(0.5) : S(other.n) / all;  // of equal sets, which most are: no division
    m2 += S(other.m2) + distance * distance * n * share;
    mean += distance * share;
    n = all;
    return *this;
  }

  /// Biased variance; 0 of no values.
  __device__ S variance() const { return n == S(0) ? S(0) : m2 / n; }
};

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
