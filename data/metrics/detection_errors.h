// Errors of detections, and what each kind costs: the six kinds of TIDE (Bolya, Foley, Hays and Hoffman
// 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", sections 2.2 to 2.4).
//
// Matches are those of COCO at IoU 0.5. A detection that matches nothing is a false positive; the first that holds:
//   localisation  its largest IoU with an object of its class is between 0.1 and 0.5
//   confusion     its largest IoU with an object of another class is at least 0.5
//   duplicate     an object of its class has IoU at least 0.5, but a better detection has it
//   background    its largest IoU with any object is at most 0.1
//   both          the rest: wrong class, and IoU between 0.1 and 0.5
// An object is claimed by the localisation errors of its class and by the confusion errors upon it; the object those
// overlap most counts.
//   missed        an object without match and claim
//
// The cost of a kind is the AP50 that repairing all its errors would add: localisation and confusion errors become hits
// of the object that they claim if it has no match and they are its best claim, otherwise they go; duplicate,
// background and both go; missed objects go. Repairing one kind moves a curve along which the others lie: the gains do
// not add up.
//
// Two more, from the same paper: without any false positive, and without any object that is not found.
//
// Different from the authors' program: matching and the mean over categories are COCO's (it takes the first of equal
// overlaps, and counts a category without objects but with detections as AP 0), at most 100 detections per image and
// category count (there: an image), and detections that a crowd takes are no errors.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/metrics/coco_matching.h"

namespace diopter {

inline constexpr double kErrorForeground = 0.5, kErrorBackground = 0.1;  // IoU

enum ErrorKind { kConfusion, kLocalisation, kBoth, kDuplicate, kBackgroundError, kMissed, kErrorKinds };
inline constexpr std::array<const char*, kErrorKinds> kErrorNames = {"confusion", "localisation", "both",
                                                                     "duplicate", "background",   "missed"};

/// Errors of a category (a detection's own, or the missed object's), or of all.
struct ErrorBreakdown {
  double ap50;  // as it is; -1 without objects
  std::array<std::int64_t, kErrorKinds> count;
  std::array<double, kErrorKinds> gain;  // in AP50, 0 to 1; of all: the mean over the categories
  std::int64_t false_positives;          // all kinds but missed
  std::int64_t false_negatives;          // objects without match
  double false_positive_gain, false_negative_gain;
};

struct DetectionErrors {
  ErrorBreakdown all;
  std::vector<ErrorBreakdown> per_category;  // as in Dataset::categories
};

/// `matches` are those of `detections` with `truth`. Parallel over images and over categories. Throws Error when .5 is
/// not among their IoU thresholds.
DetectionErrors detection_errors(const Dataset& truth, const std::vector<Detection>& detections,
                                 const CocoMatches& matches);

}  // namespace diopter
