#include "data/metrics/coco_metrics.h"

#include <iterator>
#include <span>

#include "kernels/base/parallel.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

constexpr std::size_t kColumns = std::size(kCocoColumns);

struct CategoryResult {
  std::array<std::int64_t, kAreas> objects{};  // that are not ignored
  std::array<std::array<std::array<double, kRecalls>, kThresholds>, kAreas> precision{};
  std::array<std::array<std::size_t, kThresholds>, kAreas> hits{};
  std::array<std::array<double, kThresholds>, kColumns> recall{};  // of the columns that are recalls
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

double share(std::size_t hits, std::int64_t objects) {
  return static_cast<double>(hits) / static_cast<double>(objects);
}

/// Hits by threshold among the first `detections` of each image.
std::array<std::size_t, kThresholds> count_hits(const std::vector<Outcome>& outcomes, Area area, int detections) {
  std::array<std::size_t, kThresholds> hits{};
  for (const Outcome& outcome : outcomes) {
    for (int t = 0; t < kThresholds && outcome.rank < detections; ++t) hits[t] += outcome.hit(area, t);
  }
  return hits;
}

CategoryResult evaluate_category(const CategoryMatches& matches) {
  CategoryResult result{.objects = matches.total};
  for (int a = 0; a < kAreas; ++a) {
    if (result.objects[a] == 0) continue;
    for (int t = 0; t < kThresholds; ++t) {
      std::vector<CurveCorner> corners = curve_corners(matches.outcomes, a, t);
      result.hits[a][t] = corners.size();
      result.precision[a][t] = precision_at_recalls(corners, result.objects[a]);
    }
  }
  for (std::size_t i = 0; i < kColumns; ++i) {
    const CocoColumn& column = kCocoColumns[i];
    const std::int64_t objects = result.objects[column.area];
    if (!column.recall || objects == 0) continue;
    const auto found = column.detections == kMaxDetections
                           ? result.hits[column.area]
                           : count_hits(matches.outcomes, column.area, column.detections);
    for (int t = 0; t < kThresholds; ++t) result.recall[i][t] = share(found[t], objects);
  }
  return result;
}

/// Mean precision over thresholds, recalls and categories with objects, summed in that order.
double average_precision(std::span<const CategoryResult> results, Area area, Thresholds thresholds) {
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

/// Mean recall over thresholds and categories with objects, summed in that order.
double average_recall(std::span<const CategoryResult> results, std::size_t column) {
  const Thresholds thresholds = kCocoColumns[column].thresholds;
  std::vector<double> values;
  for (int t = thresholds.first; t < thresholds.last; ++t) {
    for (const CategoryResult& result : results) {
      if (result.objects[kCocoColumns[column].area] > 0) values.push_back(result.recall[column][t]);
    }
  }
  return mean(values);
}

CocoNumbers numbers_of(std::span<const CategoryResult> results) {
  CocoNumbers numbers;
  for (std::size_t i = 0; i < kColumns; ++i) {
    const CocoColumn& column = kCocoColumns[i];
    numbers.*column.value =
        column.recall ? average_recall(results, i) : average_precision(results, column.area, column.thresholds);
  }
  return numbers;
}

CategoryMetrics category_metrics(const Category& category, const CategoryResult& result) {
  const std::span<const CategoryResult> one(&result, 1);
  CategoryMetrics metrics = {.id = category.id,
                             .name = category.name,
                             .stats = numbers_of(one),
                             .ap_per_iou = {},
                             .recall_per_iou = {},
                             .objects = result.objects[kAll]};
  for (int t = 0; t < kThresholds; ++t) {
    metrics.ap_per_iou[t] = average_precision(one, kAll, {t, t + 1});
    metrics.recall_per_iou[t] = metrics.objects > 0 ? share(result.hits[kAll][t], metrics.objects) : -1;
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
  metrics.stats = numbers_of(results);
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

std::vector<std::string> coco_column_names() {
  std::vector<std::string> names;
  for (const CocoColumn& column : kCocoColumns) names.emplace_back(column.name);
  return names;
}

std::vector<double> list_of(const CocoNumbers& numbers) {
  std::vector<double> list;
  for (const CocoColumn& column : kCocoColumns) list.push_back(numbers.*column.value);
  return list;
}

CocoNumbers coco_numbers(const std::vector<double>& list) {
  CocoNumbers numbers;
  for (std::size_t i = 0; i < kColumns; ++i) numbers.*kCocoColumns[i].value = i < list.size() ? list[i] : -1;
  return numbers;
}

std::string format_coco_metrics(const CocoMetrics& metrics) {
  constexpr const char* kAreaNames[kAreas] = {"all", "small", "medium", "large"};
  std::string table;
  for (const CocoColumn& column : kCocoColumns) {
    const double first = kIouThresholds[column.thresholds.first], last = kIouThresholds[column.thresholds.last - 1];
    const std::string iou = first == last ? formatted("%.2f", first) : formatted("%.2f:%.2f", first, last);
    table += formatted(" %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %.3f\n",
                       column.recall ? "Average Recall" : "Average Precision", column.recall ? "(AR)" : "(AP)",
                       iou.c_str(), kAreaNames[column.area], column.detections, metrics.stats.*column.value);
  }
  return table;
}

}  // namespace diopter
