// Files of a run folder.
#pragma once

#include <string>

#include "data/coco_metrics.h"
#include "retinanet/trainer.h"

namespace diopter {

std::string last_checkpoint(const std::string& folder);
std::string best_checkpoint(const std::string& folder);

/// Makes the folder and its subfolders; throws Error when it holds a checkpoint already or cannot be written.
/// What a run that never came to a checkpoint left there is overwritten.
void create_run_folder(const std::string& folder);

/// Lines of metrics.csv; written at once, so that they can be watched.
void append_step(const std::string& folder, const StepReport& step);
void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics);
/// Drops the lines beyond `iteration`: a resumed run writes them again.
void truncate_metrics(const std::string& folder, std::int64_t iteration);

}  // namespace diopter
