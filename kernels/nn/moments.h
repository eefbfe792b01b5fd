// Number, mean and squared distances of a set of values, which two sets join into those of both.
#pragma once

#include "kernels/base/host_device.h"

namespace diopter {

template <class S>
struct Moments {
  S n, mean, m2;  // number of values, their mean, sum of the squared distances from it

  /// One more value (Welford 1962); reciprocal = 1 / (n + 1), which neighbouring channels share.
  DIOPTER_HD void add(S x, S reciprocal) {
    const S before = x - mean;
    n += S(1);
    mean += before * reciprocal;
    m2 += before * (x - mean);
  }

  /// Those of both sets (Chan, Golub and LeVeque 1979).
  template <class R>
  DIOPTER_HD Moments& operator+=(const Moments<R>& other) {
    if (other.n == R(0)) return *this;
    const S all = n + S(other.n), distance = S(other.mean) - mean;
    const S share = S(other.n) == n ? S(0.5) : S(other.n) / all;  // of equal sets, which most are: no division
    m2 += S(other.m2) + distance * distance * n * share;
    mean += distance * share;
    n = all;
    return *this;
  }

  /// Biased variance; 0 of no values.
  DIOPTER_HD S variance() const { return n == S(0) ? S(0) : m2 / n; }
  /// Of the set that the values were drawn from; of a single one the biased variance.
  DIOPTER_HD S unbiased_variance() const { return n > S(1) ? m2 / (n - S(1)) : variance(); }
};

}  // namespace diopter
