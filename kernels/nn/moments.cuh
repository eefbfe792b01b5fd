// Mean and variance in one pass: Welford 1962 for one more value, Chan, Golub and LeVeque 1979 for two sets.
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
    const S all = n + S(other.n), share = S(other.n) / all, distance = S(other.mean) - mean;
    m2 += S(other.m2) + distance * distance * n * share;
    mean += distance * share;
    n = all;
    return *this;
  }

  /// Biased variance; 0 of no values.
  __device__ S variance() const { return n == S(0) ? S(0) : m2 / n; }
};

}  // namespace diopter::cuda
