#include "tools/evaluate/report.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;
/// Members with names that occur once: json[name] looks through all of them.
using JsonMembers = Json::object_t;

constexpr std::array<const char*, kErrorKinds> kMeanings = {
    "right place, wrong class",  "right class, IoU 0.1 to 0.5",  "wrong class, IoU 0.1 to 0.5",
    "a better detection has it", "nothing there, IoU up to 0.1", "objects that nothing above would find"};

void print_row(const std::string& name, const std::vector<double>& numbers, std::int64_t objects) {
  std::printf("%-24s", printable(name).c_str());
  for (const double n : numbers) std::printf(n < 0 ? "      -" : " %6.4f", n);
  std::printf(" %9lld\n", static_cast<long long>(objects));
}

void print_errors(const CocoMetrics& metrics, const DetectionErrors& errors) {
  std::printf("\n%-24s %9s %9s\n", "error at IoU 0.5", "count", "AP50 gain");
  const auto line = [](const char* name, std::int64_t count, double gain, const char* meaning) {
    std::printf("%-24s %9lld %9.4f  %s\n", name, static_cast<long long>(count), gain, meaning);
  };
  const ErrorBreakdown& all = errors.all;
  for (int kind = 0; kind < kErrorKinds; ++kind) {
    line(kErrorNames[kind], all.count[kind], all.gain[kind], kMeanings[kind]);
  }
  line("all false positives", all.false_positives, all.false_positive_gain, "the first five");
  line("all false negatives", all.false_negatives, all.false_negative_gain, "objects without a match");

  std::printf("\n%-24s %6s", "AP50 gain by category", "AP50");
  for (const char* name : kErrorNames) std::printf(" %12s", name);
  std::printf("\n");
  for (std::size_t k = 0; k < errors.per_category.size(); ++k) {
    const ErrorBreakdown& part = errors.per_category[k];
    if (part.ap50 < 0) continue;
    std::printf("%-24s %6.4f", printable(metrics.per_category[k].name).c_str(), part.ap50);
    for (const double gain : part.gain) std::printf(" %12.4f", gain);
    std::printf("\n");
  }
}

void print_intervals(const CocoReport& report) {
  std::printf("\nintervals of the bootstrap over images\n");
  for (const std::size_t column : shown_columns(report)) {
    const Interval interval = interval_of(report, column);
    std::printf(interval.low < 0 ? "%-24s      -\n" : "%-24s %6.4f to %6.4f\n",
                report.metrics.columns[column].name.c_str(), interval.low, interval.high);
  }
}

void print_operating_points(const CocoMetrics& metrics, const OperatingPoints& points) {
  std::printf("\n%-24s %6s %6s %9s %6s\n", formatted("largest F1 at IoU %g", points.iou).c_str(), "score", "F1",
              "precision", "recall");
  const auto line = [](const std::string& name, const std::optional<OperatingPoint>& point) {
    if (!point) return;
    std::printf("%-24s %6.4f %6.4f %9.4f %6.4f\n", printable(name).c_str(), point->score, point->f1, point->precision,
                point->recall);
  };
  for (std::size_t k = 0; k < points.categories.size(); ++k) line(metrics.per_category[k].name, points.categories[k]);
  line("one score for all", points.all);
}

void print_calibration(const Calibration& c) {
  std::printf("\ncalibration at IoU %g: expected error %.4f over %lld detections; %.4f at the temperature %.3f\n",
              c.iou, c.ece, static_cast<long long>(c.detections), c.ece_at_temperature, c.temperature);
  std::printf("%-24s %10s %10s %9s\n", "scores", "detections", "mean score", "precision");
  for (const CalibrationBin& bin : c.bins) {
    std::printf("%-24s %10lld", formatted("%.1f to %.1f", bin.low, bin.high).c_str(),
                static_cast<long long>(bin.detections));
    if (bin.detections > 0) std::printf(" %10.4f %9.4f", bin.mean_score, bin.precision);
    std::printf("\n");
  }
}

/// What the bootstrap says of a shown column: BootstrapIntervals and PairedBootstrap call it alike.
template <class Bootstrap>
const auto& of_column(const Bootstrap& bootstrap, const CocoColumn& column) {
  if (column.recall) return bootstrap.ar;
  return column.name == "AP50" ? bootstrap.ap50 : column.name == "AP75" ? bootstrap.ap75 : bootstrap.ap;
}

const PairedDifference& difference_of(const CocoReport& report, std::size_t column) {
  return of_column(*report.differences, report.metrics.columns[column]);
}

void print_differences(const CocoReport& report) {
  std::printf("\n%-24s %10s   95 %% interval        larger in\n", ("against " + printable(report.against)).c_str(),
              "difference");
  const auto line = [](const std::string& name, const PairedDifference& d) {
    std::printf("%-24s %+10.4f   %+.4f to %+.4f   %5.1f %% of the resamples\n", printable(name).c_str(), d.value,
                d.interval.low, d.interval.high, 100 * d.share_larger);
  };
  for (const std::size_t column : shown_columns(report)) {
    line(report.metrics.columns[column].name, difference_of(report, column));
  }
  for (std::size_t k = 0; k < report.metrics.per_category.size(); ++k) {
    const CategoryMetrics& category = report.metrics.per_category[k];
    if (category.objects > 0) line("AP of " + category.name, report.differences->category_ap[k]);
  }
}

/// What differs from COCO's settings.
void print_settings(const CocoReport& report) {
  const CocoSettings& settings = report.matches.settings;
  const CocoSettings usual;
  if (settings.thresholds != usual.thresholds) {
    std::printf("IoU thresholds: %s\n", join(settings.thresholds, ", ", [](double t) { return shortest(t); }).c_str());
  }
  if (settings.areas != usual.areas) {
    const auto text = [](const AreaRange& area) {
      const std::string end = area.high < kLargestArea ? " to " + shortest(std::sqrt(area.high)) : " on";
      return printable(area.name) + " from " + shortest(std::sqrt(area.low)) + end;
    };
    std::printf("areas, by the side of a square in pixels: %s\n",
                join(std::span(settings.areas).subspan(1), ", ", text).c_str());
  }
  if (report.categories_chosen) {
    const auto name = [](const CategoryMetrics& category) { return printable(category.name); };
    std::printf("categories: %s only\n", join(report.metrics.per_category, ", ", name).c_str());
  }
  if (report.renumbered) std::printf("annotations: numbered from 1\n");
}

Json settings_json(const CocoReport& report) {
  const CocoSettings& settings = report.matches.settings;
  Json areas = Json::object();
  for (const AreaRange& area : settings.areas) areas[area.name] = {area.low, area.high};
  Json json = {{"iou", settings.thresholds}, {"areas", areas}, {"max_detections", settings.max_detections}};
  if (report.categories_chosen) {
    for (const CategoryMetrics& category : report.metrics.per_category) json["categories"].push_back(category.id);
  }
  if (report.renumbered) json["renumbered"] = true;
  return json;
}

/// Names that are no UTF-8 are written with replacement characters.
std::string text_of(const Json& json) { return json_text(json, 1) + "\n"; }

Json json_of(const Interval& interval) { return {interval.low, interval.high}; }

Json json_of(const PairedDifference& d) {
  return {{"difference", d.value}, {"interval", json_of(d.interval)}, {"share_larger", d.share_larger}};
}

Json json_of(const Calibration& c) {
  Json bins = Json::array();
  for (const CalibrationBin& bin : c.bins) {
    bins.push_back({{"low", bin.low},
                    {"high", bin.high},
                    {"detections", bin.detections},
                    {"mean_score", bin.mean_score},
                    {"precision", bin.precision}});
  }
  return {{"iou", c.iou},
          {"detections", c.detections},
          {"ECE", c.ece},
          {"temperature", c.temperature},
          {"ECE_at_temperature", c.ece_at_temperature},
          {"bins", bins}};
}

Json json_of(const ErrorBreakdown& errors) {
  Json json = {{"AP50", errors.ap50}};
  for (int kind = 0; kind < kErrorKinds; ++kind) {
    json[kErrorNames[kind]] = {{"count", errors.count[kind]}, {"gain", errors.gain[kind]}};
  }
  json["false_positives"] = {{"count", errors.false_positives}, {"gain", errors.false_positive_gain}};
  json["false_negatives"] = {{"count", errors.false_negatives}, {"gain", errors.false_negative_gain}};
  return json;
}

}  // namespace

std::vector<std::size_t> shown_columns(const CocoReport& report) {
  const int most = static_cast<int>(report.matches.settings.max_detections.size()) - 1;
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < report.metrics.columns.size(); ++i) {
    const CocoColumn& column = report.metrics.columns[i];
    if (column.area == kAll && column.detections == most) shown.push_back(i);
  }
  return shown;
}

Interval interval_of(const CocoReport& report, std::size_t column) {
  return of_column(*report.intervals, report.metrics.columns[column]);
}

void print_report(const CocoReport& report) {
  print_settings(report);
  std::printf("%s\n%-24s", format_coco_metrics(report.metrics, report.matches.settings).c_str(), "category");
  const std::vector<std::size_t> shown = shown_columns(report);
  for (const std::size_t column : shown) std::printf(" %6s", report.metrics.columns[column].name.c_str());
  std::printf(" %9s\n", "objects");
  for (const CategoryMetrics& c : report.metrics.per_category) {
    std::vector<double> values;
    for (const std::size_t column : shown) values.push_back(c.values[column]);
    print_row(c.name, values, c.objects);
  }
  if (report.errors) print_errors(report.metrics, *report.errors);
  if (report.intervals) print_intervals(report);
  if (report.differences) print_differences(report);
  if (report.operating_points) print_operating_points(report.metrics, *report.operating_points);
  if (report.calibration) print_calibration(*report.calibration);
}

void print_report(const VocMetrics& metrics) {
  std::printf("%-24s %6s %9s\n", "category", "AP", "objects");
  std::int64_t objects = 0;
  for (const VocCategory& c : metrics.per_category) {
    print_row(c.name, {c.ap}, c.objects);
    objects += c.objects;
  }
  print_row("mean", {metrics.mean_ap}, objects);
}

std::string json_text(const CocoReport& report) {
  const std::string most = std::to_string(report.matches.settings.max_detections.back());
  JsonMembers categories;
  for (std::size_t k = 0; k < report.metrics.per_category.size(); ++k) {
    const CategoryMetrics& c = report.metrics.per_category[k];
    Json category = {{"name", c.name}, {"objects", c.objects}};
    for (std::size_t i = 0; i < c.values.size(); ++i) category[report.metrics.columns[i].name] = c.values[i];
    category["AP_per_iou"] = c.ap_per_iou;
    category["recall" + most + "_per_iou"] = c.recall_per_iou;
    if (report.intervals) category["AP_interval"] = json_of(report.intervals->category_ap[k]);
    if (report.errors) category["errors"] = json_of(report.errors->per_category[k]);
    if (report.differences) category["against"] = json_of(report.differences->category_ap[k]);
    categories.emplace_back(std::to_string(c.id), std::move(category));
  }
  Json columns = Json::array();
  for (const CocoColumn& column : report.metrics.columns) columns.push_back(column.name);
  Json json = {{"settings", settings_json(report)}, {"columns", columns}, {"stats", report.metrics.values}};
  if (report.intervals) {
    for (const std::size_t column : shown_columns(report)) {
      json["intervals"][report.metrics.columns[column].name] = json_of(interval_of(report, column));
    }
  }
  if (report.errors) json["errors"] = json_of(report.errors->all);
  if (report.differences) {
    json["against"] = {{"detections", report.against}};
    for (const std::size_t column : shown_columns(report)) {
      json["against"][report.metrics.columns[column].name] = json_of(difference_of(report, column));
    }
  }
  if (report.calibration) json["calibration"] = json_of(*report.calibration);
  json["per_category"] = categories;
  return text_of(json);
}

std::string json_text(const VocMetrics& metrics, const VocOptions& options) {
  JsonMembers categories;
  for (const VocCategory& c : metrics.per_category) {
    categories.emplace_back(std::to_string(c.id), Json{{"name", c.name}, {"objects", c.objects}, {"AP", c.ap}});
  }
  const Json settings = {
      {"iou", options.iou_threshold}, {"eleven_point", options.eleven_point}, {"plus_one", options.plus_one}};
  return text_of({{"settings", settings}, {"mean_ap", metrics.mean_ap}, {"per_category", categories}});
}

}  // namespace diopter
