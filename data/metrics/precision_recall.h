// Precision over recall as COCO measures it (cocodataset/cocoapi, COCOeval.accumulate): detections are taken by
// descending score; after a hit, h hits among n counted detections give the precision h / n and the recall h / objects.
// The curve is raised to the highest precision at that recall or beyond, and read at the 101 recalls 0, .01, ... 1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace diopter {

/// Numbers from start to stop at equal distances, rounded as numpy.linspace does.
template <std::size_t N>
constexpr std::array<double, N> linspace(double start, double stop) {
  std::array<double, N> values{};
  const double step = (stop - start) / (N - 1);
  for (std::size_t i = 0; i + 1 < N; ++i) values[i] = static_cast<double>(i) * step + start;
  values[N - 1] = stop;
  return values;
}

inline constexpr int kRecalls = 101;
inline constexpr std::array<double, kRecalls> kRecallPoints = linspace<kRecalls>(0.0, 1.0);

/// The state after a hit.
struct CurveCorner {
  std::int64_t hits;
  double precision;
};

/// hits / counted, with the small number that the reference adds below.
inline CurveCorner curve_corner(std::int64_t hits, std::int64_t counted) {
  return {hits, static_cast<double>(hits) / (static_cast<double>(counted) + std::numeric_limits<double>::epsilon())};
}

/// Raises each precision to the highest one that follows.
void raise_precisions(std::vector<CurveCorner>& corners);

/// For each recall point the first corner that reaches it; corners.size() where none does. objects >= 1.
std::array<std::size_t, kRecalls> corners_at_recalls(std::span<const CurveCorner> corners, std::int64_t objects);

/// Precision at the recall points, 0 where a recall is not reached. Raises `corners`. objects >= 1.
std::array<double, kRecalls> precision_at_recalls(std::vector<CurveCorner>& corners, std::int64_t objects);

/// Mean of numbers, summed in numpy's order for the same rounding; -1 for no numbers.
double mean(std::span<const double> values);

}  // namespace diopter
