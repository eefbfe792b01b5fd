#include "data/metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "kernels/base/check.h"

namespace diopter {

namespace {

using Bins = std::array<CalibrationBin, kCalibrationBins>;

Bins fill_bins(std::span<const ScoredDetection> detections) {
  Bins bins;
  std::array<double, kCalibrationBins> scores{}, hits{};
  for (const ScoredDetection& d : detections) {
    const int bin = std::min(static_cast<int>(d.score * kCalibrationBins), kCalibrationBins - 1);
    ++bins[bin].detections;
    scores[bin] += d.score;
    hits[bin] += d.hit;
  }
  for (int b = 0; b < kCalibrationBins; ++b) {
    bins[b].low = static_cast<double>(b) / kCalibrationBins;
    bins[b].high = static_cast<double>(b + 1) / kCalibrationBins;
    if (bins[b].detections == 0) continue;
    bins[b].mean_score = scores[b] / static_cast<double>(bins[b].detections);
    bins[b].precision = hits[b] / static_cast<double>(bins[b].detections);
  }
  return bins;
}

double expected_error(const Bins& bins, std::size_t detections) {
  double error = 0;
  for (const CalibrationBin& b : bins) {
    error +=
        static_cast<double>(b.detections) / static_cast<double>(detections) * std::fabs(b.mean_score - b.precision);
  }
  return error;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Scores of 0 and 1 have no logit.
double logit(double score) {
  constexpr double kEnd = 1e-9;
  const double p = std::clamp(score, kEnd, 1 - kEnd);
  return std::log(p / (1 - p));
}

/// The zero of the cross-entropy's derivative with respect to 1 / T, which rises with 1 / T.
double best_temperature(std::span<const ScoredDetection> detections) {
  const auto slope = [detections](double factor) {
    double sum = 0;
    for (const ScoredDetection& d : detections) {
      const double z = logit(d.score);
      sum += z * (sigmoid(factor * z) - (d.hit ? 1.0 : 0.0));
    }
    return sum;
  };
  double low = -std::log(kMostTemperature), high = std::log(kMostTemperature);  // of log(1 / T)
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (slope(std::exp(middle)) < 0 ? low : high) = middle;
  }
  return std::exp(-0.5 * (low + high));
}

}  // namespace

Calibration calibration(const CocoMatches& matches, double iou) {
  const int threshold = matches.settings.threshold(iou);
  DIOPTER_CHECK(threshold >= 0, "calibration needs the IoU threshold ", iou, " among those of --iou");
  std::vector<ScoredDetection> detections;
  for (const CategoryMatches& category : matches.categories) {
    const std::vector<ScoredDetection> counted = counted_detections(category, threshold);
    detections.insert(detections.end(), counted.begin(), counted.end());
  }
  for (const ScoredDetection& d : detections) {
    DIOPTER_CHECK(d.score >= 0 && d.score <= 1, "calibration needs scores from 0 to 1, one is ", d.score);
  }
  Calibration result{.iou = iou, .detections = std::ssize(detections), .bins = fill_bins(detections)};
  if (detections.empty()) return result;
  result.ece = expected_error(result.bins, detections.size());
  result.temperature = best_temperature(detections);
  for (ScoredDetection& d : detections) d.score = sigmoid(logit(d.score) / result.temperature);
  result.ece_at_temperature = expected_error(fill_bins(detections), detections.size());
  return result;
}

}  // namespace diopter
