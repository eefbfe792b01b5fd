// Files of a run folder.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "retinanet/training/step_report.h"

namespace diopter {

std::string last_checkpoint(const std::string& folder);
std::string best_checkpoint(const std::string& folder);
std::string config_file(const std::string& folder);
std::string pictures_folder(const std::string& folder);

/// Makes the folder and its subfolders; throws Error when it holds a checkpoint already or cannot be written.
/// Files of a run that never came to a checkpoint are overwritten.
void create_run_folder(const std::string& folder);
/// For a run that is resumed at `iteration`: drops the lines of metrics.csv beyond it, and how the run ended.
void rewind_run_folder(const std::string& folder, std::int64_t iteration);

/// Lines of metrics.csv; written at once, so that they can be watched.
void append_step(const std::string& folder, const StepReport& step);
void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics);

/// metrics.csv as numbers.
struct RunMetrics {
  std::map<std::string, std::vector<double>> columns;  // a number per line; NaN where the field is empty

  /// (iteration, number) of the lines that have a number in the column; none for a column that is not there.
  std::vector<std::array<double, 2>> over_iterations(const std::string& column) const;
};

/// Reads metrics.csv; no columns when there is no such file. Throws Error "FILE:LINE: ..." for a line that is cut off, or
/// that holds something else than numbers.
RunMetrics read_metrics(const std::string& folder);

/// Adds up the seconds of training that metrics.csv tells, line by line: they start anew where a run was resumed.
class TrainingClock {
 public:
  void add(double seconds);
  double total() const { return total_; }

 private:
  double before_ = 0, total_ = 0;
};

/// How a run ended; outcome.json. There is none while it runs, and when it was killed.
struct RunOutcome {
  std::string state;  // finished, stopped (before the end of its schedule) or diverged
  std::int64_t iteration = 0;
  std::string message;  // of a run that diverged
};
void write_outcome(const std::string& folder, const RunOutcome& outcome);
std::optional<RunOutcome> read_outcome(const std::string& folder);

}  // namespace diopter
