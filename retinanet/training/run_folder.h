// Files of a run folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kernels/base/folder_lock.h"
#include "retinanet/weights/checkpoint_files.h"

namespace diopter {

std::string config_file(const std::string& folder);
std::string pictures_folder(const std::string& folder);

/// Keeps other trainings away from the folder, and removes the temporary files of those that were killed. Throws Error
/// when another process trains there.
std::unique_ptr<FolderLock> lock_run_folder(const std::string& folder);

/// Makes and locks the folder and makes its subfolders; throws Error when it holds a checkpoint already, another
/// process trains there, or it cannot be written. Files of a run that never came to a checkpoint are overwritten.
std::unique_ptr<FolderLock> create_run_folder(const std::string& folder);

/// For a run that is resumed at `iteration`: rewinds metrics.csv (rewind_metrics), and forgets how the run ended.
void rewind_run_folder(const std::string& folder, std::int64_t iteration, bool evaluated_again);

/// "the last good checkpoint is FOLDER/checkpoints/last.safetensors", or that there is none.
std::string where_the_last_checkpoint_is(const std::string& folder);

/// How a run ended; outcome.json. There is none while it runs, and when it was killed.
struct RunOutcome {
  std::string state;  // finished, stopped (before the end of its schedule) or diverged
  std::int64_t iteration = 0;
  std::string message;  // of a run that diverged; of one that train.patience shortened
};
void write_outcome(const std::string& folder, const RunOutcome& outcome);
std::optional<RunOutcome> read_outcome(const std::string& folder);

}  // namespace diopter
