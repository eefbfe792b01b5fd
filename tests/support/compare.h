// One tolerance table and one comparison for every test that compares arrays of floating-point numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace diopter::test {

/// Largest allowed |a - b| relative to max(1, largest |b|), by kind of operation.
struct Tolerance {
  static constexpr double copy = 0.0;          // moves and selections: exact
  static constexpr double elementwise = 1e-6;  // a few float operations per element
  static constexpr double sum = 1e-5;          // sums over up to some thousand elements
  static constexpr double matrix = 5e-5;       // convolutions and long sums
  static constexpr double bf16 = 2e-2;         // anything stored as bf16
  static constexpr double gradient = 1e-2;     // float central differences
};

template <class A, class B>
void require_close(const std::vector<A>& actual, const std::vector<B>& expected, double tolerance) {
  REQUIRE(actual.size() == expected.size());
  double scale = 1.0;
  for (const B& e : expected) scale = std::max(scale, std::fabs(static_cast<double>(e)));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(actual[i]), e = static_cast<double>(expected[i]);
    if (!(std::fabs(a - e) <= tolerance * scale)) {
      INFO("first difference at index " << i << ": " << a << " instead of " << e << " (tolerance " << tolerance * scale
                                        << ")");
      REQUIRE(false);
    }
  }
  SUCCEED();
}

}  // namespace diopter::test
