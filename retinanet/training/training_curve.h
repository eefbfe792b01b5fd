// A curve of any length in bounded memory.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace diopter {

using Points = std::vector<std::array<double, 2>>;  // x, y; by ascending x

/// Takes points one after another. Up to kMostPoints are kept as they are; of more each one that is kept is the mean of
/// equally many neighbours, 2, 4, 8, ..., the last one perhaps of fewer.
class TrainingCurve {
 public:
  static constexpr std::size_t kMostPoints = 250;

  void add(double x, double y);

  /// At most kMostPoints, and at least half as many where more were added.
  Points points() const;
  /// Of how many neighbours a point is the mean.
  std::size_t neighbours() const { return neighbours_; }
  /// y of the last point that was added, and the highest one; nothing without a point.
  std::optional<double> last() const { return last_; }
  std::optional<double> highest() const { return highest_; }

 private:
  struct Sum {
    double x = 0, y = 0;
    std::size_t count = 0;
  };

  std::vector<Sum> sums_;
  std::size_t neighbours_ = 1;
  std::optional<double> last_, highest_;
};

}  // namespace diopter
