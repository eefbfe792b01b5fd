// Plan of the runs of a study: every configuration with every tuning seed, then each contestant's best with every final
// seed. What is to be done follows from the results that there are: nothing else is remembered.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "retinanet/laboratory/protocol.h"

namespace diopter {

enum class Phase { tuning, final };

struct PlannedRun {
  std::string name;  // of its folder: "tune-focal-3-seed101" (3: the configuration, from 1), "final-focal-seed1"
  Phase phase;
  int contestant, configuration;  // indices
  std::int64_t seed;
};

struct RunResult {
  std::string name;
  bool diverged = false;       // a loss or gradient was not finite: `stats` are 0
  std::int64_t iteration = 0;  // at which it diverged, or its last
  CocoNumbers stats{};         // on the tuning or the test split
  double seconds = 0;          // of training, while other runs may have run beside it
};
using RunResults = std::map<std::string, RunResult>;  // by name

/// Of a contestant with one configuration there are none.
std::vector<PlannedRun> tuning_runs(const Protocol& protocol, int contestant);
/// With the configuration that was chosen.
std::vector<PlannedRun> final_runs(const Protocol& protocol, int contestant, int configuration);
/// Of the whole study.
std::int64_t number_of_runs(const Protocol& protocol);

/// AP by seed of one configuration on the tuning split; all its runs must have ended.
double tuning_ap(const Protocol& protocol, int contestant, int configuration, const RunResults& results);

/// The configuration with the highest mean AP on the tuning split, the first on ties; nothing while runs are missing.
std::optional<int> chosen_configuration(const Protocol& protocol, int contestant, const RunResults& results);

/// Every run that can be known by now, with a result or without: all of tuning, then the final runs of contestants
/// whose tuning has ended.
std::vector<PlannedRun> known_runs(const Protocol& protocol, const RunResults& results);

/// Those without a result that could start now, in the order in which they should.
std::vector<PlannedRun> ready_runs(const Protocol& protocol, const RunResults& results);

/// The known run of that name; throws Error when there is none.
PlannedRun find_run(const Protocol& protocol, const RunResults& results, const std::string& name);

}  // namespace diopter
