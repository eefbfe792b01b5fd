#include "retinanet/training/training_curve.h"

#include <algorithm>

namespace diopter {

void TrainingCurve::add(double x, double y) {
  last_ = y;
  highest_ = std::max(highest_.value_or(y), y);
  if (sums_.empty() || sums_.back().count == neighbours_) {
    if (sums_.size() == kMostPoints) {
      neighbours_ *= 2;
      for (std::size_t i = 0; i < kMostPoints / 2; ++i) {
        const Sum &a = sums_[2 * i], &b = sums_[2 * i + 1];
        sums_[i] = {a.x + b.x, a.y + b.y, a.count + b.count};
      }
      sums_.resize(kMostPoints / 2);
    }
    sums_.emplace_back();
  }
  Sum& sum = sums_.back();
  sum.x += x;
  sum.y += y;
  ++sum.count;
}

Points TrainingCurve::points() const {
  Points points;
  points.reserve(sums_.size());
  for (const Sum& sum : sums_) {
    const double count = static_cast<double>(sum.count);
    points.push_back({sum.x / count, sum.y / count});
  }
  return points;
}

}  // namespace diopter
