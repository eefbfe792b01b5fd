// How far scores are the probabilities of being right: detection calibration (Kueppers et al. 2020, "Multivariate
// Confidence Calibration for Object Detection", section 3, of the scores alone).
//
//   ECE = sum over bins of (detections in the bin / detections) |mean score - precision|
//
// over bins of equal width; and the temperature T with which sigmoid(logit(score) / T) fits best (Guo et al. 2017, "On
// Calibration of Modern Neural Networks", section 4.2): it minimises the cross-entropy of all detections.
#pragma once

#include <array>
#include <cstdint>

#include "data/metrics/coco_matching.h"

namespace diopter {

inline constexpr int kCalibrationBins = 10;

struct CalibrationBin {
  double low = 0, high = 0;  // scores from low on, below high; the last bin holds 1, too
  std::int64_t detections = 0;
  double mean_score = 0, precision = 0;  // 0 where there are no detections
};

struct Calibration {
  double iou = 0;
  std::int64_t detections = 0;
  std::array<CalibrationBin, kCalibrationBins> bins;
  double ece = 0;
  double temperature = 1;  // above 1: scores are too sure; between 1/kMostTemperature and kMostTemperature
  double ece_at_temperature = 0;
};

inline constexpr double kMostTemperature = 1000;

/// Of the detections of all categories that count at this IoU; without any, all errors are 0. Throws Error when the
/// matches have no such threshold, and for a score outside 0 to 1.
Calibration calibration(const CocoMatches& matches, double iou = 0.5);

}  // namespace diopter
