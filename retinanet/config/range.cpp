#include "retinanet/config/range.h"

#include <cmath>
#include <cstdlib>

#include "kernels/base/text.h"

namespace diopter {

bool Range::has(double value) const {
  const bool low_enough = with_highest ? value <= highest : value < highest;
  const bool high_enough = with_lowest ? value >= lowest : value > lowest;
  return low_enough && high_enough && (!whole || value == std::round(value));
}

std::string Range::rule(double value) const {
  if (whole && lowest <= value && value <= highest) return "must be a whole number";
  if (std::isinf(highest)) {
    if (lowest == 0) return with_lowest ? "must not be negative" : "must be positive";
    return "must be at least " + shortest(lowest);
  }
  if (with_lowest && !with_highest) return "must lie in [" + shortest(lowest) + ", " + shortest(highest) + ")";
  return "must lie between " + shortest(lowest) + " and " + shortest(highest);
}

std::string Range::text() const {
  if (std::isinf(lowest) && std::isinf(highest)) return "";
  const std::string from = (with_lowest ? "" : "above ") + shortest(lowest);
  if (std::isinf(highest)) return (with_lowest ? "at least " : "") + from;
  return from + (with_highest ? " to " : " to below ") + shortest(highest);
}

double widened(float value) { return std::strtod(shortest(value).c_str(), nullptr); }

}  // namespace diopter
