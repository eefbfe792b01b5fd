// A loss and its versions with their types forgotten: tests of what holds for every loss are not compiled again when
// one changes.
#pragma once

#include <memory>

#include "kernels/detection/any_loss.h"

namespace diopter::test {

template <class T>
struct LossFunction {
  std::shared_ptr<const void> version;
  ValueAndDerivative<T> (*of)(const void* version, T x, bool positive) = nullptr;

  ValueAndDerivative<T> operator()(T x, bool positive) const { return of(version.get(), x, positive); }
};

struct LossVersion {
  LossFunction<double> in_double;
  LossFunction<float> in_float;
};

struct LossVersions {
  LossVersion general, fast;
  LossVersion gpu;  // what the CUDA kernel runs: the fast version with GpuLogistic, in float
};

LossVersions versions_of(const AnyLoss& loss);

/// The loss in float of a positive logit with the target `quality`.
ValueAndDerivative<float> positive_loss_at(const AnyLoss& loss, float x, float quality);

}  // namespace diopter::test
