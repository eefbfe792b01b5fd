#include "data/metrics/coco_metrics.h"

#include <cstdio>
#include <span>

#include "kernels/base/parallel.h"

namespace diopter {

namespace {

constexpr std::array<int, 3> kCaps = {1, 10, kMaxDetections};

struct CategoryResult {
  std::array<std::int64_t, kAreas> objects{};  // that are not ignored
  std::array<std::array<std::array<double, kRecalls>, kThresholds>, kAreas> precision{};
  std::array<std::array<double, kThresholds>, kAreas> recall{};               // kMaxDetections per image
  std::array<std::array<double, kThresholds>, kCaps.size()> recall_capped{};  // all areas, by kCaps
};

/// The corners of the curve; with `scores`, the score at each too.
std::vector<CurveCorner> curve_corners(const std::vector<Outcome>& outcomes, int area, int t,
                                       std::vector<double>* scores = nullptr) {
  std::vector<CurveCorner> corners;
  std::int64_t counted = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.ignored(area, t)) continue;
    ++counted;
    if (!outcome.hit(area, t)) continue;
    corners.push_back(curve_corner(static_cast<std::int64_t>(corners.size()) + 1, counted));
    if (scores) scores->push_back(outcome.score);
  }
  return corners;
}

CategoryResult evaluate_category(const CategoryMatches& matches) {
  CategoryResult result{.objects = matches.total};
  const auto recall = [](std::size_t hits, std::int64_t objects) {
    return static_cast<double>(hits) / static_cast<double>(objects);
  };
  for (int a = 0; a < kAreas; ++a) {
    if (result.objects[a] == 0) continue;
    for (int t = 0; t < kThresholds; ++t) {
      std::vector<CurveCorner> corners = curve_corners(matches.outcomes, a, t);
      result.precision[a][t] = precision_at_recalls(corners, result.objects[a]);
      result.recall[a][t] = recall(corners.size(), result.objects[a]);
    }
  }
  for (std::size_t c = 0; c < kCaps.size() && result.objects[kAll] > 0; ++c) {
    std::array<std::size_t, kThresholds> hits{};
    for (const Outcome& outcome : matches.outcomes) {
      for (int t = 0; t < kThresholds && outcome.rank < kCaps[c]; ++t) hits[t] += outcome.hit(kAll, t);
    }
    for (int t = 0; t < kThresholds; ++t) result.recall_capped[c][t] = recall(hits[t], result.objects[kAll]);
  }
  return result;
}

/// IoU thresholds first <= t < last.
struct Thresholds {
  int first = 0, last = kThresholds;
};

/// Mean precision over thresholds, recalls and categories with objects, summed in that order.
double average_precision(std::span<const CategoryResult> results, Area area, Thresholds thresholds = {}) {
  std::vector<double> values;
  for (int t = thresholds.first; t < thresholds.last; ++t) {
    for (int r = 0; r < kRecalls; ++r) {
      for (const CategoryResult& result : results) {
        if (result.objects[area] > 0) values.push_back(result.precision[area][t][r]);
      }
    }
  }
  return mean(values);
}

/// Mean of recall(result)[t] over thresholds and categories with objects, summed in that order.
template <class Recall>
double average_recall(std::span<const CategoryResult> results, Area area, const Recall& recall) {
  std::vector<double> values;
  for (int t = 0; t < kThresholds; ++t) {
    for (const CategoryResult& result : results) {
      if (result.objects[area] > 0) values.push_back(recall(result)[t]);
    }
  }
  return mean(values);
}

CategoryMetrics category_metrics(const Category& category, const CategoryResult& result) {
  const std::span<const CategoryResult> one(&result, 1);
  CategoryMetrics metrics = {.id = category.id,
                             .name = category.name,
                             .ap = average_precision(one, kAll),
                             .ap_small = average_precision(one, kSmall),
                             .ap_medium = average_precision(one, kMedium),
                             .ap_large = average_precision(one, kLarge),
                             .ap_per_iou = {},
                             .ar = {},
                             .recall_per_iou = {},
                             .objects = result.objects[kAll]};
  for (int t = 0; t < kThresholds; ++t) {
    metrics.ap_per_iou[t] = average_precision(one, kAll, {t, t + 1});
    metrics.recall_per_iou[t] = metrics.objects > 0 ? result.recall[kAll][t] : -1;
  }
  for (std::size_t c = 0; c < kCaps.size(); ++c) {
    metrics.ar[c] = average_recall(one, kAll, [c](const CategoryResult& r) { return r.recall_capped[c]; });
  }
  return metrics;
}

void add(std::array<double, kRecalls>& sum, const std::array<double, kRecalls>& part, double share) {
  for (int r = 0; r < kRecalls; ++r) sum[r] += share * part[r];
}

}  // namespace

CocoMetrics coco_metrics(const Dataset& truth, const CocoMatches& matches) {
  CocoMetrics metrics;
  metrics.warnings = matches.warnings;
  std::vector<CategoryResult> results(matches.categories.size());
  parallel_for(static_cast<std::int64_t>(results.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) results[k] = evaluate_category(matches.categories[k]);
  });
  const auto capped = [&results](std::size_t c) {
    return average_recall(results, kAll, [c](const CategoryResult& r) { return r.recall_capped[c]; });
  };
  const auto sized = [&results](Area area) {
    return average_recall(results, area, [area](const CategoryResult& r) { return r.recall[area]; });
  };
  metrics.stats = {average_precision(results, kAll),
                   average_precision(results, kAll, {kAt50, kAt50 + 1}),
                   average_precision(results, kAll, {kAt75, kAt75 + 1}),
                   average_precision(results, kSmall),
                   average_precision(results, kMedium),
                   average_precision(results, kLarge),
                   capped(0),
                   capped(1),
                   capped(2),
                   sized(kSmall),
                   sized(kMedium),
                   sized(kLarge)};
  for (std::size_t k = 0; k < results.size(); ++k) {
    metrics.per_category.push_back(category_metrics(truth.categories[k], results[k]));
  }
  return metrics;
}

CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections) {
  return coco_metrics(truth, match_coco(truth, detections));
}

PrecisionCurve precision_curve(const CategoryMatches& matches, int t) {
  PrecisionCurve curve{};
  if (matches.total[kAll] == 0) return curve;
  std::vector<double> scores;
  std::vector<CurveCorner> corners = curve_corners(matches.outcomes, kAll, t, &scores);
  curve.precision = precision_at_recalls(corners, matches.total[kAll]);
  const std::array<std::size_t, kRecalls> at = corners_at_recalls(corners, matches.total[kAll]);
  for (int r = 0; r < kRecalls; ++r) curve.score[r] = at[r] < scores.size() ? scores[at[r]] : 0;
  // Recall 0 needs no hit: the reference gives the best score of all, ignored detections included.
  if (!matches.outcomes.empty()) curve.score[0] = matches.outcomes[0].score;
  return curve;
}

CategoryCurves category_curves(const CategoryMatches& matches) {
  CategoryCurves curves{precision_curve(matches, kAt50), precision_curve(matches, kAt75), {}};
  for (int t = 0; t < kThresholds; ++t) add(curves.range, precision_curve(matches, t).precision, 1.0 / kThresholds);
  return curves;
}

CategoryCurves mean_curves(const std::vector<CategoryCurves>& curves) {
  CategoryCurves means{};
  const double share = 1.0 / static_cast<double>(curves.size());
  for (const CategoryCurves& c : curves) {
    add(means.at50.precision, c.at50.precision, share);
    add(means.at75.precision, c.at75.precision, share);
    add(means.range, c.range, share);
  }
  return means;
}

std::string format_coco_metrics(const CocoMetrics& metrics) {
  struct Row {
    bool precision;
    const char *iou, *area;
    int detections;
  };
  constexpr const char* kRange = "0.50:0.95";
  constexpr std::array<Row, 12> kRows = {{{true, kRange, "all", 100},
                                          {true, "0.50", "all", 100},
                                          {true, "0.75", "all", 100},
                                          {true, kRange, "small", 100},
                                          {true, kRange, "medium", 100},
                                          {true, kRange, "large", 100},
                                          {false, kRange, "all", 1},
                                          {false, kRange, "all", 10},
                                          {false, kRange, "all", 100},
                                          {false, kRange, "small", 100},
                                          {false, kRange, "medium", 100},
                                          {false, kRange, "large", 100}}};
  std::string table;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const Row& row = kRows[i];
    char line[128];
    std::snprintf(line, sizeof(line), " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %.3f\n",
                  row.precision ? "Average Precision" : "Average Recall", row.precision ? "(AP)" : "(AR)", row.iou,
                  row.area, row.detections, metrics.stats[i]);
    table += line;
  }
  return table;
}

}  // namespace diopter
