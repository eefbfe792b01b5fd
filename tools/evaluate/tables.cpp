// The CSV files of `diopter evaluate --csv`.
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "tools/evaluate/report.h"

namespace diopter {

namespace {

// Contents of the columns id and category of the lines over all categories.
constexpr const char *kNoId = "", *kAllCategories = "(all)";

std::string category_table(const CocoMetrics& metrics) {
  std::vector<std::string> columns = {"id", "category", "objects"};
  for (const CocoColumn& column : metrics.columns) columns.push_back(column.name);
  CsvText csv(columns);
  for (const CategoryMetrics& c : metrics.per_category) {
    csv << c.id << c.name << c.objects;
    for (const double number : c.values) csv << number;
    csv.end_line();
  }
  return csv.text();
}

using Recalls = std::array<double, kRecalls>;

/// A mean of curves has no score.
void write_curve(CsvText& csv, const std::string& id, const std::string& name, const std::string& iou,
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
  const CocoSettings& settings = report.matches.settings;
  const bool has50 = settings.threshold(0.5) >= 0, has75 = settings.threshold(0.75) >= 0;
  const std::string range = formatted("%.2f:%.2f", settings.thresholds.front(), settings.thresholds.back());
  CsvText csv({"id", "category", "iou", "recall", "precision", "score"});
  std::vector<CategoryCurves> all;
  for (std::size_t k = 0; k < report.matches.categories.size(); ++k) {
    const CategoryMatches& matches = report.matches.categories[k];
    if (matches.total[kAll] == 0) continue;
    const CategoryMetrics& category = report.metrics.per_category[k];
    const std::string id = std::to_string(category.id);
    const CategoryCurves& curves = all.emplace_back(category_curves(matches, settings));
    if (has50) write_curve(csv, id, category.name, "0.50", curves.at50.precision, &curves.at50.score);
    if (has75) write_curve(csv, id, category.name, "0.75", curves.at75.precision, &curves.at75.score);
    write_curve(csv, id, category.name, range, curves.range);
  }
  if (all.empty()) return csv.text();
  const CategoryCurves means = mean_curves(all);
  if (has50) write_curve(csv, kNoId, kAllCategories, "0.50", means.at50.precision);
  if (has75) write_curve(csv, kNoId, kAllCategories, "0.75", means.at75.precision);
  write_curve(csv, kNoId, kAllCategories, range, means.range);
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

std::string interval_table(const CocoReport& report) {
  CsvText csv({"id", "category", "number", "value", "low", "high"});
  const auto line = [&csv](const std::string& id, const std::string& name, const std::string& number, double value,
                           const Interval& interval) {
    csv << id << name << number << value << interval.low << interval.high;
    csv.end_line();
  };
  for (std::size_t k = 0; k < report.intervals->category_ap.size(); ++k) {
    const CategoryMetrics& category = report.metrics.per_category[k];
    line(std::to_string(category.id), category.name, "AP", category.values[0], report.intervals->category_ap[k]);
  }
  for (const std::size_t column : shown_columns(report)) {
    line(kNoId, kAllCategories, report.metrics.columns[column].name, report.metrics.values[column],
         interval_of(report, column));
  }
  return csv.text();
}

std::string confusion_table(const CocoMetrics& metrics, const ConfusionMatrix& matrix) {
  CsvText csv;
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

std::string calibration_table(const Calibration& calibration) {
  CsvText csv({"low", "high", "detections", "mean_score", "precision"});
  for (const CalibrationBin& bin : calibration.bins) {
    csv << bin.low << bin.high << bin.detections << bin.mean_score << bin.precision;
    csv.end_line();
  }
  return csv.text();
}

}  // namespace

void write_tables(const CocoReport& report, const std::string& folder) {
  std::vector<std::pair<const char*, std::string>> tables = {{"categories.csv", category_table(report.metrics)},
                                                             {"pr_curves.csv", curve_table(report)}};
  if (report.errors) tables.emplace_back("errors.csv", error_table(report.metrics, *report.errors));
  if (report.intervals) tables.emplace_back("intervals.csv", interval_table(report));
  if (report.confusion) tables.emplace_back("confusion.csv", confusion_table(report.metrics, *report.confusion));
  if (report.calibration) tables.emplace_back("calibration.csv", calibration_table(*report.calibration));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  for (const auto& [name, text] : tables) write_file_atomically(folder + "/" + name, text);
}

}  // namespace diopter
