// report.html of a training run.
#pragma once

#include <string>

namespace diopter {

/// Whether the folder holds a run (trainer.h).
bool is_run_folder(const std::string& folder);

/// The report, from what the run folder holds by now: the run may go on, have been stopped or have diverged, and what
/// the folder lacks is left out. Throws Error that names the file, and the line of metrics.csv, that cannot be used.
std::string run_report(const std::string& folder);

/// Writes it as FOLDER/report.html.
void write_run_report(const std::string& folder);

}  // namespace diopter
