// Makes the runs of a study, several side by side, each in a process of its own: one that crashes costs only itself.
#pragma once

#include <string>
#include <vector>

#include "retinanet/laboratory/study.h"

namespace diopter {

struct RunnerOptions {
  int jobs;            // runs side by side
  int threads;         // of each
  std::string device;  // of each
  bool exact;          // of each: no Winograd convolutions
};

/// Makes the runs that have no result yet, adds theirs to `results` and to results.csv, shows progress. Ends early when
/// an Interrupt that the caller holds is requested: then runs save and stop. Returns what went wrong, a line per run.
std::vector<std::string> make_runs(const Study& study, const RunnerOptions& options, RunResults& results);

}  // namespace diopter
