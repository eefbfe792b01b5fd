// Matching of detections to objects by COCO's rules (cocodataset/cocoapi, COCOeval.evaluateImg for boxes). Done once;
// metrics, curves, confidence intervals and the breakdown of errors all start from these matches.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/precision_recall.h"

namespace diopter {

inline constexpr int kThresholds = 10;
inline constexpr std::array<double, kThresholds> kIouThresholds = linspace<kThresholds>(0.5, 0.95);
inline constexpr int kAt50 = 0, kAt75 = 5;  // positions of .5 and .75
inline constexpr int kMaxDetections = 100;  // an image and category; the others are left out

/// Areas of objects that count: all, up to 32^2, up to 96^2, beyond; both ends included.
enum Area { kAll, kSmall, kMedium, kLarge, kAreas };

/// The fate of a detection, by area and IoU threshold (bit t: threshold t).
struct Outcome {
  double score;
  std::int32_t image;      // rank of the image by ascending id
  std::int32_t detection;  // position in the list of detections
  std::int32_t rank;       // among the detections of its image and category, best first
  std::int32_t truth;      // at IoU .5, all areas: position of the match in ImageRecord::annotations; -1: none
  std::array<std::uint16_t, kAreas> hit_bits, ignored_bits;

  /// Matches a crowd or an object of another area, or has another area and no match: neither hit nor false positive.
  bool ignored(int area, int t) const { return ignored_bits[area] >> t & 1; }
  bool hit(int area, int t) const { return hit_bits[area] >> t & ~(ignored_bits[area] >> t) & 1; }
};

struct CategoryMatches {
  std::vector<Outcome> outcomes;  // by descending score; on ties by image, then rank

  /// Objects of one image that count, by area.
  struct Objects {
    std::int32_t image;  // rank, as in Outcome
    std::array<std::int32_t, kAreas> count;
  };
  std::vector<Objects> objects;              // of the images that have any annotation, by image
  std::array<std::int64_t, kAreas> total{};  // over all images
};

struct CocoMatches {
  std::vector<int> images;                  // positions in Dataset::images, by ascending id
  std::vector<CategoryMatches> categories;  // as in Dataset::categories
  std::vector<std::string> warnings;
};

/// Intersection over union; over the detection's own area where the object is a crowd.
double coco_overlap(const Rect& detection, const Rect& truth, bool crowd);

/// Matches detections with the ground truth. Detections of categories that `truth` does not have are left out, with a
/// warning. An annotation with id 0 is never matched, as in the reference; a warning says so. Parallel over categories.
/// Throws Error for a detection of an unknown image or with a NaN as score.
CocoMatches match_coco(const Dataset& truth, const std::vector<Detection>& detections);

}  // namespace diopter
