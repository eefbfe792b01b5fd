// Matching of detections to objects by COCO's rules (cocodataset/cocoapi, COCOeval.evaluateImg for boxes). Done once;
// metrics, curves, confidence intervals and the breakdown of errors all start from these matches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/coco_settings.h"

namespace diopter {

/// A detection that counts.
struct Outcome {
  double score;
  std::int32_t image;      // rank of the image by ascending id
  std::int32_t detection;  // position in the list of detections
  std::int32_t rank;       // among the detections of its image and category, best first
  std::int32_t truth;      // at IoU .5, all areas: position of the match in ImageRecord::annotations; -1: none
};

/// The fate of a detection among objects of one area, by IoU threshold (bit t: threshold t).
struct Verdict {
  std::uint32_t hits = 0;
  /// Matches a crowd or an object of another area, or has another area and no match: neither hit nor false positive.
  std::uint32_t ignored = 0;

  bool hit(int t) const { return hits >> t & 1; }
  bool is_ignored(int t) const { return ignored >> t & 1; }
};

struct CategoryMatches {
  std::vector<Outcome> outcomes;  // by descending score; on ties by image, then rank
  std::vector<Verdict> verdicts;  // [outcome][area]

  /// Objects of one image that count.
  struct Objects {
    std::int32_t image;  // rank, as in Outcome
    std::int32_t count;
  };
  std::vector<Objects> objects;     // of the images that have any annotation, by image
  std::vector<std::int64_t> total;  // over all images, by area

  const Verdict& verdict(std::size_t outcome, int area) const { return verdicts[outcome * total.size() + area]; }
};

/// A detection that counts, and whether it is right.
struct ScoredDetection {
  double score;
  bool hit;
};

/// The detections of a category that are a hit or a false positive at an IoU threshold (its position in
/// CocoSettings::thresholds) among objects of all areas, by descending score.
std::vector<ScoredDetection> counted_detections(const CategoryMatches& matches, int threshold);

struct CocoMatches {
  CocoSettings settings;
  std::vector<int> images;                  // positions in Dataset::images, by ascending id
  std::vector<CategoryMatches> categories;  // as in Dataset::categories
  /// Images that have more detections of a category than count.
  std::int64_t cut_images = 0;
  std::vector<std::string> warnings;
};

/// Intersection over union; over the detection's own area where the object is a crowd.
double coco_overlap(const Rect& detection, const Rect& truth, bool crowd);

/// Matches detections with the ground truth. Detections of categories that `truth` does not have are left out, with a
/// warning. An annotation with id 0 is never matched, as in the reference; a warning says so. Parallel over categories;
/// the same for any number of threads. Throws Error for a detection of an unknown image or with a NaN as score.
CocoMatches match_coco(const Dataset& truth, const std::vector<Detection>& detections,
                       const CocoSettings& settings = {});

}  // namespace diopter
