// Files of a run folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace diopter {

std::string last_checkpoint(const std::string& folder);
std::string best_checkpoint(const std::string& folder);
std::string config_file(const std::string& folder);
std::string pictures_folder(const std::string& folder);

/// Makes the folder and its subfolders; throws Error when it holds a checkpoint already or cannot be written.
/// Files of a run that never came to a checkpoint are overwritten.
void create_run_folder(const std::string& folder);
/// For a run that is resumed at `iteration`: rewinds metrics.csv (rewind_metrics), and forgets how the run ended.
void rewind_run_folder(const std::string& folder, std::int64_t iteration);

/// How a run ended; outcome.json. There is none while it runs, and when it was killed.
struct RunOutcome {
  std::string state;  // finished, stopped (before the end of its schedule) or diverged
  std::int64_t iteration = 0;
  std::string message;  // of a run that diverged
};
void write_outcome(const std::string& folder, const RunOutcome& outcome);
std::optional<RunOutcome> read_outcome(const std::string& folder);

}  // namespace diopter
