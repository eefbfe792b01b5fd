#include "tools/evaluate/report.h"

#include <cstdio>
#include <vector>

#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

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

void print_intervals(const BootstrapIntervals& intervals) {
  std::printf("\nintervals of the bootstrap over images\n");
  const auto line = [](const char* name, const Interval& i) {
    std::printf(i.low < 0 ? "%-24s      -\n" : "%-24s %6.4f to %6.4f\n", name, i.low, i.high);
  };
  for (const IntervalColumn& column : kIntervalColumns) line(column.name, intervals.*column.interval);
}

/// Names that are no UTF-8 are written with replacement characters.
std::string text_of(const Json& json) { return json_text(json, 1) + "\n"; }

Json json_of(const Interval& interval) { return {interval.low, interval.high}; }

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

void print_report(const CocoReport& report) {
  std::printf("%s\n%-24s %6s %6s %6s %6s %9s\n", format_coco_metrics(report.metrics).c_str(), "category", "AP", "AP50",
              "AP75", "AR100", "objects");
  for (const CategoryMetrics& c : report.metrics.per_category) {
    print_row(c.name, {c.stats.ap, c.stats.ap50, c.stats.ap75, c.stats.ar100}, c.objects);
  }
  if (report.errors) print_errors(report.metrics, *report.errors);
  if (report.intervals) print_intervals(*report.intervals);
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
  Json categories = Json::object();
  for (std::size_t k = 0; k < report.metrics.per_category.size(); ++k) {
    const CategoryMetrics& c = report.metrics.per_category[k];
    Json& category = categories[std::to_string(c.id)];
    category = {{"name", c.name}, {"objects", c.objects}};
    for (const CocoColumn& column : kCocoColumns) category[column.name] = c.stats.*column.value;
    category["AP_per_iou"] = c.ap_per_iou;
    category["recall100_per_iou"] = c.recall_per_iou;
    if (report.intervals) category["AP_interval"] = json_of(report.intervals->category_ap[k]);
    if (report.errors) category["errors"] = json_of(report.errors->per_category[k]);
  }
  Json json = {{"stats", list_of(report.metrics.stats)}};
  if (report.intervals) {
    for (const IntervalColumn& column : kIntervalColumns) {
      json["intervals"][column.name] = json_of((*report.intervals).*column.interval);
    }
  }
  if (report.errors) json["errors"] = json_of(report.errors->all);
  json["per_category"] = categories;
  return text_of(json);
}

std::string json_text(const VocMetrics& metrics) {
  Json categories = Json::object();
  for (const VocCategory& c : metrics.per_category) {
    categories[std::to_string(c.id)] = {{"name", c.name}, {"objects", c.objects}, {"AP", c.ap}};
  }
  return text_of({{"mean_ap", metrics.mean_ap}, {"per_category", categories}});
}

}  // namespace diopter
