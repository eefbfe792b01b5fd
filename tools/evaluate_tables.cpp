// The CSV files of `diopter evaluate --csv`.
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "data/csv_text.h"
#include "kernels/common/atomic_file.h"
#include "kernels/common/check.h"
#include "tools/evaluate_report.h"

namespace diopter {

namespace {

// What stands in the columns id and category of the lines over all categories.
constexpr const char *kNoId = "", *kAllCategories = "(all)";

std::string category_table(const CocoMetrics& metrics) {
  CsvText csv({"id", "category", "objects", "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100"});
  for (const CategoryMetrics& c : metrics.per_category) {
    csv << c.id << c.name << c.objects << c.ap << c.ap_per_iou[kAt50] << c.ap_per_iou[kAt75] << c.ap_small
        << c.ap_medium << c.ap_large << c.ar[0] << c.ar[1] << c.ar[2];
    csv.end_line();
  }
  return csv.text();
}

using Recalls = std::array<double, kRecalls>;

void add(Recalls& sum, const Recalls& part, double share) {
  for (int r = 0; r < kRecalls; ++r) sum[r] += share * part[r];
}

/// A mean of curves has no score.
void write_curve(CsvText& csv, const std::string& id, const std::string& name, const char* iou,
                 const Recalls& precision, const Recalls* score = nullptr) {
  for (int r = 0; r < kRecalls; ++r) {
    csv << id << name << iou << kRecallPoints[r] << precision[r];
    if (score) {
      csv << (*score)[r];
    } else {
      csv << "";
    }
    csv.end_line();
  }
}

std::string curve_table(const CocoReport& report) {
  constexpr std::array<std::pair<const char*, int>, 2> kShown = {{{"0.50", kAt50}, {"0.75", kAt75}}};
  constexpr const char* kRange = "0.50:0.95";
  CsvText csv{"id", "category", "iou", "recall", "precision", "score"};
  std::size_t with_objects = 0;
  for (const CategoryMatches& matches : report.matches.categories) with_objects += matches.total[kAll] > 0;
  std::array<Recalls, kShown.size()> mean_shown{};
  Recalls mean_range{};
  for (std::size_t k = 0; k < report.matches.categories.size(); ++k) {
    const CategoryMatches& matches = report.matches.categories[k];
    if (matches.total[kAll] == 0) continue;
    const CategoryMetrics& category = report.metrics.per_category[k];
    const std::string id = std::to_string(category.id);
    const double share = 1.0 / static_cast<double>(with_objects);
    for (std::size_t i = 0; i < kShown.size(); ++i) {
      const PrecisionCurve curve = precision_curve(matches, kShown[i].second);
      write_curve(csv, id, category.name, kShown[i].first, curve.precision, &curve.score);
      add(mean_shown[i], curve.precision, share);
    }
    Recalls range{};
    for (int t = 0; t < kThresholds; ++t) add(range, precision_curve(matches, t).precision, 1.0 / kThresholds);
    write_curve(csv, id, category.name, kRange, range);
    add(mean_range, range, share);
  }
  if (with_objects == 0) return csv.text();
  for (std::size_t i = 0; i < kShown.size(); ++i) {
    write_curve(csv, kNoId, kAllCategories, kShown[i].first, mean_shown[i]);
  }
  write_curve(csv, kNoId, kAllCategories, kRange, mean_range);
  return csv.text();
}

std::string error_table(const CocoMetrics& metrics, const DetectionErrors& errors) {
  CsvText csv({"id", "category", "AP50", "error", "count", "gain"});
  const auto write = [&csv](const std::string& id, const std::string& name, const ErrorBreakdown& e) {
    const auto line = [&](const char* kind, std::int64_t count, double gain) {
      csv << id << name << e.ap50 << kind << count << gain;
      csv.end_line();
    };
    for (int kind = 0; kind < kErrorKinds; ++kind) line(kErrorNames[kind], e.count[kind], e.gain[kind]);
    line("false_positives", e.false_positives, e.false_positive_gain);
    line("false_negatives", e.false_negatives, e.false_negative_gain);
  };
  for (std::size_t k = 0; k < errors.per_category.size(); ++k) {
    const CategoryMetrics& category = metrics.per_category[k];
    write(std::to_string(category.id), category.name, errors.per_category[k]);
  }
  write(kNoId, kAllCategories, errors.all);
  return csv.text();
}

std::string interval_table(const CocoMetrics& metrics, const BootstrapIntervals& intervals) {
  CsvText csv({"id", "category", "number", "value", "low", "high"});
  const auto line = [&csv](const std::string& id, const std::string& name, const char* number, double value,
                           const Interval& interval) {
    csv << id << name << number << value << interval.low << interval.high;
    csv.end_line();
  };
  for (std::size_t k = 0; k < intervals.category_ap.size(); ++k) {
    const CategoryMetrics& category = metrics.per_category[k];
    line(std::to_string(category.id), category.name, "AP", category.ap, intervals.category_ap[k]);
  }
  line(kNoId, kAllCategories, "AP", metrics.stats[0], intervals.ap);
  line(kNoId, kAllCategories, "AP50", metrics.stats[1], intervals.ap50);
  line(kNoId, kAllCategories, "AP75", metrics.stats[2], intervals.ap75);
  line(kNoId, kAllCategories, "AR100", metrics.stats[8], intervals.ar100);
  return csv.text();
}

std::string confusion_table(const CocoMetrics& metrics, const ConfusionMatrix& matrix) {
  CsvText csv{};
  csv << "truth";
  for (const CategoryMetrics& category : metrics.per_category) csv << category.name;
  csv << "(not found)";
  csv.end_line();
  for (std::size_t truth = 0; truth <= matrix.classes; ++truth) {
    csv << (truth < matrix.classes ? metrics.per_category[truth].name : std::string("(background)"));
    for (std::size_t predicted = 0; predicted <= matrix.classes; ++predicted) csv << matrix.at(truth, predicted);
    csv.end_line();
  }
  return csv.text();
}

}  // namespace

void write_tables(const CocoReport& report, const std::string& folder) {
  std::vector<std::pair<const char*, std::string>> tables = {{"categories.csv", category_table(report.metrics)},
                                                             {"pr_curves.csv", curve_table(report)}};
  if (report.errors) tables.emplace_back("errors.csv", error_table(report.metrics, *report.errors));
  if (report.intervals) tables.emplace_back("intervals.csv", interval_table(report.metrics, *report.intervals));
  if (report.confusion) tables.emplace_back("confusion.csv", confusion_table(report.metrics, *report.confusion));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  for (const auto& [name, text] : tables) write_file_atomically(folder + "/" + name, text);
}

}  // namespace diopter
