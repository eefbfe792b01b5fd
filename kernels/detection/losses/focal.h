// Sigmoid focal loss (Lin et al. 2017, equation 5; derivative: appendix B, equation 10), in logit space.
//
//   z = positive ? -x : x      logit of being wrong
//   q = sigmoid(z) = 1 - p_t,  s = softplus(z) = -log p_t,  a = positive ? alpha : 1 - alpha   (1 when alpha < 0)
//   L     = a q^gamma s
//   dL/dz = a q^gamma (gamma (1 - q) s + q)          dL/dx = positive ? -dL/dz : dL/dz
//
// Finite for every gamma >= 0 and every finite x. gamma = 0 without alpha is binary cross-entropy, exactly.
#pragma once

#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

struct FocalLoss {
  static constexpr const char* source = "Lin et al. 2017, equation 5";

  float gamma = 2.0f;
  float alpha = 0.25f;

  static constexpr LossParameter<FocalLoss> parameters[] = {
      {"gamma", &FocalLoss::gamma, 0, 10, "how far well-classified examples are played down"},
      {"alpha", &FocalLoss::alpha, -1, 1, "weight of positives, 1 - alpha of negatives; below 0: no weights"}};

  /// Loss of one logit and its derivative with respect to the logit. Free of branches, so that loops vectorise.
  template <class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    return weighted(l, exp_negative(T(gamma) * l.log_sigmoid), positive);
  }

  /// The same from what the logistic functions are at z, and q^gamma.
  template <class T>
  DIOPTER_HD ValueAndDerivative<T> weighted(const Logistic<T>& l, T power, bool positive) const {
    const T q = l.sigmoid, s = l.softplus;
    const T a = alpha < 0 ? T(1) : class_weight<T>(alpha, positive);
    const T w = a * power;
    const T dz = w * ((T(gamma) - T(gamma) * q) * s + q);
    return {w * s, positive ? -dz : dz};
  }

  /// Calls f with this loss in its fastest form: the usual exponents need no exponential for the power.
  template <class F>
  void in_fastest_form(const F& f) const;
};

/// Focal loss whose gamma is known to the compiler.
template <int kGamma>
struct FocalLossOfPower {
  FocalLoss loss;

  template <class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    const Logistic<T> l = logistic(positive ? -x : x);
    T power = 1;
    for (int i = 0; i < kGamma; ++i) power *= l.sigmoid;
    return loss.weighted(l, power, positive);
  }
};

template <class F>
void FocalLoss::in_fastest_form(const F& f) const {
  if (gamma == 0.0f) {
    f(FocalLossOfPower<0>{*this});
  } else if (gamma == 1.0f) {
    f(FocalLossOfPower<1>{*this});
  } else if (gamma == 2.0f) {
    f(FocalLossOfPower<2>{*this});
  } else {
    f(*this);
  }
}

}  // namespace diopter
