// Confidence intervals of COCO's numbers by the bootstrap over images (Efron and Tibshirani 1993, "An Introduction to
// the Bootstrap", chapter 13, percentile intervals): as many images are drawn with replacement as there are, and
// evaluated.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/metrics/coco_matching.h"
#include "data/metrics/statistics.h"

namespace diopter {

/// Numbers of a resampled data set; -1 where there are no objects or no such IoU threshold. AR with the largest number
/// of detections.
struct SampleMetrics {
  double ap, ap50, ap75, ar;
  std::vector<double> category_ap;  // as in Dataset::categories
};

/// Numbers of the data set in which image i (by ascending id) stands `copies[i]` times. Nothing is matched again: a
/// copied image has the matches of its original, and the copies of a detection follow each other in the ranking.
SampleMetrics metrics_of_sample(const CocoMatches& matches, std::span<const int> copies);

struct BootstrapOptions {
  int resamples = 1000;      // >= 1
  double confidence = 0.95;  // between 0 and 1
  std::uint64_t seed = 0;
};

/// Where the middle `confidence` of the resamples lie, interpolated linearly between the two nearest; -1, -1 when the
/// number never existed. Resamples without objects do not count.
struct BootstrapIntervals {
  Interval ap, ap50, ap75, ar;
  std::vector<Interval> category_ap;
};

/// `progress` (may be empty) is told the resamples done and their number. Parallel over resamples; resample i depends
/// on the seed and i only, so the intervals are the same for any number of threads.
BootstrapIntervals bootstrap_intervals(const CocoMatches& matches, const BootstrapOptions& options,
                                       const std::function<void(std::int64_t, std::int64_t)>& progress = {});

/// By how much a number is larger for one list of detections than for another, of the same data set.
struct PairedDifference {
  double value = 0;
  Interval interval{};      // of the resamples
  double share_larger = 0;  // of the resamples; those that are equal count half
};

/// All 0 where the number does not exist.
struct PairedBootstrap {
  PairedDifference ap, ap50, ap75, ar;
  std::vector<PairedDifference> category_ap;
};

/// The paired bootstrap: each resample of the images is evaluated for both, so that what makes images hard for both
/// cancels. Both must be matches with the same data set and settings.
PairedBootstrap paired_bootstrap(const CocoMatches& matches, const CocoMatches& against,
                                 const BootstrapOptions& options,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace diopter
