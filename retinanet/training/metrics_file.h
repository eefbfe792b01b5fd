// metrics.csv of a run folder: a line per logged step and per evaluation, its columns named by the first line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "retinanet/training/step_report.h"
#include "retinanet/training/training_curve.h"

namespace diopter {

std::string metrics_file(const std::string& folder);

/// Columns of a new metrics.csv: the iteration, what a step reports, COCO's numbers, shares of the hardest negatives,
/// the weight of the classification loss where it is guided.
std::vector<std::string> metrics_columns();

/// The fields of a line by column, without those that are empty.
using MetricsLine = std::map<std::string, std::string>;
MetricsLine metrics_line(const StepReport& step);
MetricsLine metrics_line(std::int64_t iteration, const CocoMetrics& metrics);

/// Appends a line, written at once, so that it can be watched. A file that has other columns gets the fields that it
/// has columns for; the others of its columns stay empty.
void append_step(const std::string& folder, const StepReport& step);
void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics);

/// For a run that is resumed at `iteration`: drops later lines, and a last one that was cut off, and adds the columns
/// that a file from before did not have. Where the evaluation at that iteration is `evaluated_again`, its line is
/// dropped, too. Errors as read_metrics.
void rewind_metrics(const std::string& folder, std::int64_t iteration, bool evaluated_again);

/// Adds up the seconds of training that metrics.csv tells, line by line: they start anew where a run was resumed.
class TrainingClock {
 public:
  void add(double seconds);
  double total() const { return total_; }

 private:
  double before_ = 0, total_ = 0;
};

/// metrics.csv as numbers, in bounded memory.
struct RunMetrics {
  std::map<std::string, TrainingCurve>
      columns;          // over the iteration; fields that are empty, or no number, are left out
  TrainingClock clock;  // of all starts of the run together

  /// (iteration, number) of the lines that have a number in the column, or of neighbours (training_curve.h); none for a
  /// column that is not there.
  Points over_iterations(const std::string& column) const;

  /// The last number of a column.
  std::optional<double> last(const std::string& column) const;
};

/// Reads metrics.csv; no columns when there is no such file. A last line without its end is left out: the run goes on,
/// or was killed in the middle of it. Throws Error "FILE:LINE: ..." for a line that has more or fewer fields than the
/// first, or that holds something else than numbers.
RunMetrics read_metrics(const std::string& folder);

}  // namespace diopter
