// Makes the runs of a study, several side by side, each in a process of its own: one that crashes costs only itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "retinanet/laboratory/study.h"

namespace diopter {

/// How a study is shared with other workers (retinanet/laboratory/claims.h).
struct Sharing {
  double lease_seconds;
  std::int64_t shard = 1, shards = 1;  // takes only runs whose number divided by `shards` leaves shard - 1
};

struct RunnerOptions {
  int jobs;                        // runs side by side
  int threads;                     // of each
  std::string device;              // of each
  bool exact;                      // of each: no Winograd convolutions
  std::optional<Sharing> sharing;  // none: nobody else makes runs of this study
};

/// Makes the runs that have no result yet, adds theirs to `results` and to results.csv, shows progress. Ends early when
/// an Interrupt that the caller holds is requested: then runs save and stop. Returns what went wrong, a line per run.
/// A worker that shares the study adds others' results, too, and waits for what they hold: until every run has a
/// result, or those that are left have failed here and nobody holds them. With shards it ends, too, when no other works
/// any more.
std::vector<std::string> make_runs(const Study& study, const RunnerOptions& options, RunResults& results);

}  // namespace diopter
