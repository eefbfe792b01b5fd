// Ranges of numbers, as keys of the configuration and parameters of losses have them.
#pragma once

#include <limits>
#include <string>

#include "kernels/detection/any_loss.h"

namespace diopter {

struct Range {
  double lowest = -std::numeric_limits<double>::infinity(), highest = std::numeric_limits<double>::infinity();
  bool with_lowest = true, with_highest = true;  // whether the ends belong to it
  bool whole = false;                            // whole numbers only

  bool has(double value) const;
  /// What a number must do that it does not: "must lie between 0 and 1", "must be at least 1", "must be positive".
  std::string rule(double value) const;
  /// "0 to 1", "from 0 to below 1", "at least 1"; "" where every number fits.
  std::string text() const;
};

inline Range any_number() { return {}; }
inline Range at_least(double lowest) { return {.lowest = lowest}; }
inline Range above(double lowest) { return {.lowest = lowest, .with_lowest = false}; }
inline Range between(double lowest, double highest) { return {.lowest = lowest, .highest = highest}; }

/// The double with the same fewest digits as the float: 0.1f becomes 0.1.
double widened(float value);

inline Range range_of(const ParameterFacts& p) {
  return {.lowest = widened(p.lowest), .highest = widened(p.highest), .whole = p.whole};
}

}  // namespace diopter
