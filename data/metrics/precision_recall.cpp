#include "data/metrics/precision_recall.h"

#include <algorithm>

namespace diopter {

namespace {

/// Eight interleaved sums over up to 128 numbers, halves beyond.
double pairwise_sum(std::span<const double> values) {
  constexpr std::size_t kLanes = 8, kBlock = 128;
  const std::size_t n = values.size();
  if (n > kBlock) {
    const std::size_t half = n / 2 - n / 2 % kLanes;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  double sum = 0;
  std::size_t i = 0;
  if (n >= kLanes) {
    std::array<double, kLanes> lanes{};
    for (; i + kLanes <= n; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[i + lane];
    }
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < n; ++i) sum += values[i];
  return sum;
}

}  // namespace

void raise_precisions(std::vector<CurveCorner>& corners) {
  for (std::size_t k = corners.size(); k-- > 1;) {
    corners[k - 1].precision = std::max(corners[k - 1].precision, corners[k].precision);
  }
}

std::array<std::size_t, kRecalls> corners_at_recalls(std::span<const CurveCorner> corners, std::int64_t objects) {
  const auto recall = [objects](std::int64_t hits) { return static_cast<double>(hits) / static_cast<double>(objects); };
  std::array<std::size_t, kRecalls> at{};
  std::size_t k = 0;
  for (int r = 0; r < kRecalls; ++r) {
    while (k < corners.size() && recall(corners[k].hits) < kRecallPoints[r]) ++k;
    at[r] = k;
  }
  return at;
}

std::array<double, kRecalls> precision_at_recalls(std::vector<CurveCorner>& corners, std::int64_t objects) {
  raise_precisions(corners);
  const std::array<std::size_t, kRecalls> at = corners_at_recalls(corners, objects);
  std::array<double, kRecalls> precision{};
  for (int r = 0; r < kRecalls; ++r) precision[r] = at[r] < corners.size() ? corners[at[r]].precision : 0;
  return precision;
}

double mean(std::span<const double> values) {
  return values.empty() ? -1 : pairwise_sum(values) / static_cast<double>(values.size());
}

}  // namespace diopter
