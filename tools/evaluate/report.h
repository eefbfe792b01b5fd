// Output of `diopter evaluate`: what it prints and the files that it writes.
#pragma once

#include <optional>
#include <string>

#include "data/metrics/bootstrap.h"
#include "data/metrics/coco_metrics.h"
#include "data/metrics/confusion_matrix.h"
#include "data/metrics/detection_errors.h"
#include "data/metrics/voc_metrics.h"

namespace diopter {

/// Everything that is known about detections, by COCO's rules; what was not asked for is empty.
struct CocoReport {
  CocoMatches matches;
  CocoMetrics metrics;
  std::optional<DetectionErrors> errors;
  std::optional<BootstrapIntervals> intervals;
  std::optional<ConfusionMatrix> confusion;
};

/// The numbers that have intervals, and their names in every output.
struct IntervalColumn {
  const char* name;
  double CocoNumbers::*value;
  Interval BootstrapIntervals::*interval;
};
inline constexpr IntervalColumn kIntervalColumns[] = {{"AP", &CocoNumbers::ap, &BootstrapIntervals::ap},
                                                      {"AP50", &CocoNumbers::ap50, &BootstrapIntervals::ap50},
                                                      {"AP75", &CocoNumbers::ap75, &BootstrapIntervals::ap75},
                                                      {"AR100", &CocoNumbers::ar100, &BootstrapIntervals::ar100}};

void print_report(const CocoReport& report);
void print_report(const VocMetrics& metrics);

/// JSON text, in full precision. Keys keep their order: as the metrics print them, categories by ascending id.
std::string json_text(const CocoReport& report);
std::string json_text(const VocMetrics& metrics);

/// Writes categories.csv and pr_curves.csv, and errors.csv, intervals.csv and confusion.csv where there is something to
/// write, into `folder`, which is made when it is not there. Throws Error when it cannot be written.
void write_tables(const CocoReport& report, const std::string& folder);

}  // namespace diopter
