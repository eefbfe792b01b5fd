#include "data/metrics/coco_metrics.h"

#include <algorithm>
#include <span>

#include "kernels/base/parallel.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

/// A curve at one threshold.
struct Trace {
  std::vector<CurveCorner> corners;
  std::vector<double> scores;  // at the corners
};

/// The curves at all thresholds in one walk over the detections. Most of them match nothing at any threshold: they are
/// counted once for all.
void trace_curves(const CategoryMatches& matches, int area, int detections, std::vector<Trace>& traces) {
  const int thresholds = static_cast<int>(traces.size());
  const std::uint32_t everywhere = thresholds == kMostThresholds ? ~0u : (1u << thresholds) - 1;
  for (Trace& trace : traces) {
    trace.corners.clear();
    trace.scores.clear();
  }
  std::int64_t unmatched = 0;
  std::array<std::int64_t, kMostThresholds> matched{};  // that count at the threshold
  for (std::size_t i = 0; i < matches.outcomes.size(); ++i) {
    const Verdict& verdict = matches.verdict(i, area);
    if (verdict.ignored == everywhere || matches.outcomes[i].rank >= detections) continue;
    if (verdict.hits == 0 && verdict.ignored == 0) {
      ++unmatched;
      continue;
    }
    for (int t = 0; t < thresholds; ++t) {
      if (verdict.is_ignored(t)) continue;
      ++matched[t];
      if (!verdict.hit(t)) continue;
      std::vector<CurveCorner>& corners = traces[t].corners;
      corners.push_back(curve_corner(static_cast<std::int64_t>(corners.size()) + 1, unmatched + matched[t]));
      traces[t].scores.push_back(matches.outcomes[i].score);
    }
  }
}

/// Of a category, for the settings' areas [a], thresholds [t] and numbers of detections [m].
struct CategoryResult {
  std::vector<std::int64_t> objects;                                 // [a], that are not ignored
  std::vector<std::vector<std::array<double, kRecalls>>> precision;  // [a][t], the largest number of detections
  std::vector<std::vector<std::vector<double>>> recall;              // [a][m][t]
};

CategoryResult evaluate_category(const CategoryMatches& matches, const CocoSettings& settings) {
  const std::size_t areas = settings.areas.size();
  CategoryResult result{matches.total, decltype(CategoryResult::precision)(areas),
                        decltype(CategoryResult::recall)(areas)};
  std::vector<Trace> traces(settings.thresholds.size());
  for (int a = 0; a < static_cast<int>(areas); ++a) {
    if (result.objects[a] == 0) continue;
    trace_curves(matches, a, settings.max_detections.back(), traces);
    for (Trace& trace : traces) {
      result.precision[a].push_back(precision_at_recalls(trace.corners, result.objects[a]));
    }
    for (const int detections : settings.max_detections) {
      result.recall[a].push_back(recalls(matches, settings, a, detections));
    }
  }
  return result;
}

/// Mean precision over thresholds, recalls and categories with objects, summed in that order.
double average_precision(std::span<const CategoryResult> results, int area, Thresholds thresholds) {
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
double average_recall(std::span<const CategoryResult> results, int area, int detections, Thresholds thresholds) {
  std::vector<double> values;
  for (int t = thresholds.first; t < thresholds.last; ++t) {
    for (const CategoryResult& result : results) {
      if (result.objects[area] > 0) values.push_back(result.recall[area][detections][t]);
    }
  }
  return mean(values);
}

std::vector<double> values_of(std::span<const CategoryResult> results, const std::vector<CocoColumn>& columns) {
  std::vector<double> values;
  for (const CocoColumn& column : columns) {
    values.push_back(column.recall ? average_recall(results, column.area, column.detections, column.thresholds)
                                   : average_precision(results, column.area, column.thresholds));
  }
  return values;
}

/// Those of the values that COCO names; -1 for the others.
CocoNumbers coco_numbers(const std::vector<CocoColumn>& columns, const std::vector<double>& values) {
  CocoNumbers numbers;
  for (const CocoNumber& number : kCocoNumbers) {
    const auto column = std::find_if(columns.begin(), columns.end(),
                                     [&](const CocoColumn& candidate) { return candidate.name == number.name; });
    numbers.*number.value = column == columns.end() ? -1 : values[column - columns.begin()];
  }
  return numbers;
}

CategoryMetrics category_metrics(const Category& category, const CategoryResult& result,
                                 const std::vector<CocoColumn>& columns, const CocoSettings& settings) {
  const std::span<const CategoryResult> one(&result, 1);
  const std::vector<double> values = values_of(one, columns);
  CategoryMetrics metrics = {.id = category.id,
                             .name = category.name,
                             .values = values,
                             .stats = coco_numbers(columns, values),
                             .ap_per_iou = {},
                             .recall_per_iou = {},
                             .objects = result.objects[kAll]};
  const int most = static_cast<int>(settings.max_detections.size()) - 1;
  for (int t = 0; t < static_cast<int>(settings.thresholds.size()); ++t) {
    metrics.ap_per_iou.push_back(average_precision(one, kAll, {t, t + 1}));
    metrics.recall_per_iou.push_back(average_recall(one, kAll, most, {t, t + 1}));
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
  metrics.columns = coco_columns(matches.settings);
  std::vector<CategoryResult> results(matches.categories.size());
  parallel_for(static_cast<std::int64_t>(results.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      results[k] = evaluate_category(matches.categories[k], matches.settings);
    }
  });
  metrics.values = values_of(results, metrics.columns);
  metrics.stats = coco_numbers(metrics.columns, metrics.values);
  for (std::size_t k = 0; k < results.size(); ++k) {
    metrics.per_category.push_back(
        category_metrics(truth.categories[k], results[k], metrics.columns, matches.settings));
  }
  return metrics;
}

CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections) {
  return coco_metrics(truth, match_coco(truth, detections));
}

std::vector<double> recalls(const CategoryMatches& matches, const CocoSettings& settings, int area, int detections) {
  std::vector<std::int64_t> hits(settings.thresholds.size());
  for (std::size_t i = 0; i < matches.outcomes.size(); ++i) {
    const Verdict& verdict = matches.verdict(i, area);
    if (verdict.hits == 0 || matches.outcomes[i].rank >= detections) continue;
    for (std::size_t t = 0; t < hits.size(); ++t) hits[t] += verdict.hit(static_cast<int>(t));
  }
  std::vector<double> recalls;
  for (const std::int64_t n : hits) {
    recalls.push_back(static_cast<double>(n) / static_cast<double>(matches.total[area]));
  }
  return recalls;
}

std::vector<PrecisionCurve> precision_curves(const CategoryMatches& matches, const CocoSettings& settings, int area,
                                             int detections) {
  std::vector<PrecisionCurve> curves(settings.thresholds.size());
  const std::int64_t objects = matches.total[area];
  if (objects == 0) return curves;
  std::vector<Trace> traces(curves.size());
  trace_curves(matches, area, detections, traces);
  for (std::size_t t = 0; t < curves.size(); ++t) {
    const std::array<std::size_t, kRecalls> at = corners_at_recalls(traces[t].corners, objects);
    curves[t].precision = precision_at_recalls(traces[t].corners, objects);
    for (int r = 0; r < kRecalls; ++r)
      curves[t].score[r] = at[r] < traces[t].scores.size() ? traces[t].scores[at[r]] : 0;
    // Recall 0 needs no hit: the reference gives the best score of all, ignored detections included.
    if (!matches.outcomes.empty()) curves[t].score[0] = matches.outcomes[0].score;
  }
  return curves;
}

CategoryCurves category_curves(const CategoryMatches& matches, const CocoSettings& settings) {
  const std::vector<PrecisionCurve> all = precision_curves(matches, settings, kAll, settings.max_detections.back());
  const int at50 = settings.threshold(0.5), at75 = settings.threshold(0.75);
  CategoryCurves curves;
  if (at50 >= 0) curves.at50 = all[at50];
  if (at75 >= 0) curves.at75 = all[at75];
  for (const PrecisionCurve& curve : all) add(curves.range, curve.precision, 1.0 / static_cast<double>(all.size()));
  return curves;
}

CategoryCurves mean_curves(const std::vector<CategoryCurves>& curves) {
  CategoryCurves means;
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
  for (const CocoNumber& number : kCocoNumbers) names.emplace_back(number.name);
  return names;
}

std::vector<double> list_of(const CocoNumbers& numbers) {
  std::vector<double> list;
  for (const CocoNumber& number : kCocoNumbers) list.push_back(numbers.*number.value);
  return list;
}

CocoNumbers coco_numbers(const std::vector<double>& list) {
  CocoNumbers numbers;
  std::size_t i = 0;
  for (const CocoNumber& number : kCocoNumbers) {
    numbers.*number.value = i < list.size() ? list[i] : -1;
    ++i;
  }
  return numbers;
}

std::string format_coco_metrics(const CocoMetrics& metrics, const CocoSettings& settings) {
  std::string table;
  for (std::size_t i = 0; i < metrics.columns.size(); ++i) {
    const CocoColumn& column = metrics.columns[i];
    const double first = settings.thresholds[column.thresholds.first],
                 last = settings.thresholds[column.thresholds.last - 1];
    const std::string iou = first == last ? formatted("%.2f", first) : formatted("%.2f:%.2f", first, last);
    table += formatted(" %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %.3f\n",
                       column.recall ? "Average Recall" : "Average Precision", column.recall ? "(AR)" : "(AP)",
                       iou.c_str(), printable(settings.areas[column.area].name).c_str(),
                       settings.max_detections[column.detections], metrics.values[i]);
  }
  return table;
}

}  // namespace diopter
