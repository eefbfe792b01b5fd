#include "data/metrics/operating_point.h"

#include <algorithm>
#include <span>

#include "kernels/base/check.h"

namespace diopter {

namespace {

std::optional<OperatingPoint> best_point(std::span<const ScoredDetection> detections, std::int64_t objects) {
  std::optional<OperatingPoint> best;
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    hits += detections[i].hit;
    const bool more_of_it = i + 1 < detections.size() && detections[i + 1].score == detections[i].score;
    if (more_of_it || hits == 0) continue;
    const double taken = static_cast<double>(i + 1), found = static_cast<double>(hits);
    const double f1 = 2 * found / (taken + static_cast<double>(objects));
    if (best && f1 <= best->f1) continue;
    best = {detections[i].score, f1, found / taken, found / static_cast<double>(objects)};
  }
  return best;
}

}  // namespace

OperatingPoints best_operating_points(const CocoMatches& matches, double iou) {
  const int threshold = matches.settings.threshold(iou);
  DIOPTER_CHECK(threshold >= 0, "operating points need the IoU threshold ", iou, " among those of --iou");
  OperatingPoints points;
  points.iou = iou;
  std::vector<ScoredDetection> all;
  std::int64_t objects = 0;
  for (const CategoryMatches& category : matches.categories) {
    const std::vector<ScoredDetection> detections = counted_detections(category, threshold);
    points.categories.push_back(best_point(detections, category.total[kAll]));
    all.insert(all.end(), detections.begin(), detections.end());
    objects += category.total[kAll];
  }
  std::sort(all.begin(), all.end(),
            [](const ScoredDetection& a, const ScoredDetection& b) { return a.score > b.score; });
  points.all = best_point(all, objects);
  return points;
}

std::vector<double> best_scores(const OperatingPoints& points) {
  std::vector<double> scores;
  if (!points.all) return scores;
  for (const std::optional<OperatingPoint>& own : points.categories)
    scores.push_back(own ? own->score : points.all->score);
  return scores;
}

}  // namespace diopter
