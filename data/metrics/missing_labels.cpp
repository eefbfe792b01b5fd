#include "data/metrics/missing_labels.h"

#include <algorithm>

#include "data/metrics/coco_matching.h"
#include "data/metrics/detection_errors.h"
#include "data/readers/id_index.h"

namespace diopter {

std::vector<MissingLabel> likely_missing_labels(const Dataset& truth, const std::vector<Detection>& detections,
                                                double score) {
  const auto images = index_by_id(truth.images);
  const auto categories = index_by_id(truth.categories);
  std::vector<MissingLabel> candidates;
  for (const Detection& detection : detections) {
    const int image = find_id(images, detection.image_id), category = find_id(categories, detection.category_id);
    if (image < 0 || category < 0 || !(detection.score >= score)) continue;
    const std::vector<Annotation>& labelled = truth.images[image].annotations;
    const bool alone = std::all_of(labelled.begin(), labelled.end(), [&](const Annotation& a) {
      return coco_overlap(detection.rect, a.rect, a.crowd) < kErrorBackground;
    });
    if (alone) candidates.push_back({image, category, detection.rect, detection.score});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const MissingLabel& a, const MissingLabel& b) { return a.score > b.score; });
  std::vector<MissingLabel> best;
  std::vector<std::vector<Rect>> taken(truth.images.size());
  for (const MissingLabel& candidate : candidates) {
    std::vector<Rect>& of_image = taken[candidate.image];
    const bool repeated = std::any_of(of_image.begin(), of_image.end(), [&](const Rect& rect) {
      return coco_overlap(candidate.rect, rect, false) >= kErrorForeground;
    });
    if (repeated) continue;
    of_image.push_back(candidate.rect);
    best.push_back(candidate);
  }
  return best;
}

}  // namespace diopter
