// Powers of q = 1 - p_t for losses: the exponents 0, 1 and 2 need no exponential when the compiler knows them.
//
// A loss with such a power says in one function which exponent a logit has, exponent(positive), and takes the kind of
// exponent as first template argument of its operator(). Its fast versions then are its own lines:
//
//   template <Exponent kExponent = Exponent::any, class T, class LogisticOf = AccurateLogistic>
//   DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive, LogisticOf logistic = {}) const {
//     ...
//     ... power<kExponent>(l, T(exponent(positive))) ...
#pragma once

#include "kernels/base/host_device.h"
#include "kernels/detection/logistic.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

enum class Exponent { zero, one, two, any };

/// q^g, where q is the sigmoid in l and g >= 0 is what kExponent says.
template <Exponent kExponent, class T>
DIOPTER_HD inline T power(const Logistic<T>& l, T g) {
  if constexpr (kExponent == Exponent::zero) {
    return T(1);
  } else if constexpr (kExponent == Exponent::one) {
    return l.sigmoid;
  } else if constexpr (kExponent == Exponent::two) {
    return l.sigmoid * l.sigmoid;
  } else {
    return exp_negative(g * l.log_sigmoid);
  }
}

/// A loss whose exponent(positive) is what kExponent says.
template <class Loss, Exponent kExponent>
struct KnownExponent {
  Loss loss;

  /// `logistic`: none, or the one that the loss shall take.
  template <class T, class... LogisticOf>
  DIOPTER_HD auto operator()(T x, bool positive, LogisticOf... logistic) const
      -> decltype(loss.template operator()<kExponent>(x, positive, logistic...)) {
    return loss.template operator()<kExponent>(x, positive, logistic...);
  }
};

/// Calls f with the version of the loss that knows its exponent; with the loss itself where the exponent is another, or
/// not the same for positives and negatives.
template <class Loss, class F>
void with_known_exponent(const Loss& loss, const F& f) {
  const float g = loss.exponent(true);
  const bool same = loss.exponent(false) == g;
  if (same && g == 0.0f) {
    f(KnownExponent<Loss, Exponent::zero>{loss});
  } else if (same && g == 1.0f) {
    f(KnownExponent<Loss, Exponent::one>{loss});
  } else if (same && g == 2.0f) {
    f(KnownExponent<Loss, Exponent::two>{loss});
  } else {
    f(loss);
  }
}

}  // namespace diopter
