// Output of `diopter evaluate`: what it prints and the files that it writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/metrics/bootstrap.h"
#include "data/metrics/calibration.h"
#include "data/metrics/coco_metrics.h"
#include "data/metrics/confusion_matrix.h"
#include "data/metrics/detection_errors.h"
#include "data/metrics/operating_point.h"
#include "data/metrics/voc_metrics.h"

namespace diopter {

/// Everything that is known about detections, by COCO's rules; what was not asked for is empty.
struct CocoReport {
  bool categories_chosen = false, renumbered = false;  // --categories, --renumber
  CocoMatches matches;
  CocoMetrics metrics;
  std::optional<DetectionErrors> errors;
  std::optional<BootstrapIntervals> intervals;
  std::optional<ConfusionMatrix> confusion;
  std::optional<OperatingPoints> operating_points;
  std::optional<Calibration> calibration;
  std::string against;  // the file of the other detections
  std::optional<PairedBootstrap> differences;
};

/// The numbers of all areas with the largest number of detections, which tables show and intervals are of: by default
/// AP, AP50, AP75, AR100. Positions in CocoMetrics::columns.
std::vector<std::size_t> shown_columns(const CocoReport& report);

/// The interval of a shown column.
Interval interval_of(const CocoReport& report, std::size_t column);

void print_report(const CocoReport& report);
void print_report(const VocMetrics& metrics);

/// JSON text, in full precision. Keys keep their order: as the metrics print them, categories by ascending id.
std::string json_text(const CocoReport& report);
std::string json_text(const VocMetrics& metrics, const VocOptions& options);

/// Writes categories.csv and pr_curves.csv, and errors.csv, intervals.csv, confusion.csv and calibration.csv where
/// there is something to write, into `folder`, which is made when it is not there. Throws Error when it cannot be
/// written.
void write_tables(const CocoReport& report, const std::string& folder);

}  // namespace diopter
