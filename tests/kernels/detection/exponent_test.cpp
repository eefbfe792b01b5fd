#include "kernels/detection/exponent.h"

#include <cmath>

#include "tests/support/catch.h"

namespace diopter {
namespace {

/// q^g itself, with an exponent for each sign.
struct PowerLoss {
  float of_positives, of_negatives;

  DIOPTER_HD float exponent(bool positive) const { return positive ? of_positives : of_negatives; }

  template <Exponent kExponent = Exponent::any, class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    return {power<kExponent>(logistic(positive ? -x : x), T(exponent(positive))), T(kExponent)};
  }
};

Exponent known(const PowerLoss& loss) {
  Exponent result{};
  with_known_exponent(loss, [&](const auto& fast) {
    result = static_cast<Exponent>(static_cast<int>(fast(0.0, true).derivative));
    for (const bool positive : {false, true}) {
      for (const double x : {-30.0, -1.0, 0.0, 2.0, 50.0}) {
        CHECK(fast(x, positive).value == Approx(loss(x, positive).value).epsilon(1e-13));
      }
    }
  });
  return result;
}

TEST_CASE("focal: the exponents 0, 1 and 2 are known, where they hold for both signs") {
  CHECK(known({0, 0}) == Exponent::zero);
  CHECK(known({1, 1}) == Exponent::one);
  CHECK(known({2, 2}) == Exponent::two);
  CHECK(known({1.5f, 1.5f}) == Exponent::any);
  CHECK(known({2, 4}) == Exponent::any);
  CHECK(known({0, 2}) == Exponent::any);
  CHECK(known({3, 1}) == Exponent::any);
}

TEST_CASE("focal: powers of a sigmoid") {
  const Logistic<double> l = logistic(-1.5);
  const double q = 1 / (1 + std::exp(1.5));
  CHECK(power<Exponent::zero>(l, 0.0) == 1);
  CHECK(power<Exponent::one>(l, 1.0) == Approx(q).epsilon(1e-14));
  CHECK(power<Exponent::two>(l, 2.0) == Approx(q * q).epsilon(1e-14));
  CHECK(power<Exponent::any>(l, 2.5) == Approx(std::pow(q, 2.5)).epsilon(1e-14));
}

}  // namespace
}  // namespace diopter
