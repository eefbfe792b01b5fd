// Plan of the runs of a study: every configuration with every tuning seed, then each contestant's best with every final
// seed. What is to be done follows from the results that there are, also where tuning goes on beyond the grid and where
// seeds end early: nothing else is remembered.
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
  int contestant, configuration;  // indices; of configurations_tried
  std::int64_t seed;
  Configuration values;  // of that index
};

/// How far the scores of a run are probabilities, and where its detections are best cut off, at IoU .5.
struct ScoreQuality {
  double ece;         // expected calibration error (data/metrics/calibration.h)
  double best_score;  // detections from this score on have the largest F1 (data/metrics/operating_point.h)
  double best_f1;
  bool operator==(const ScoreQuality&) const = default;
};

struct RunResult {
  std::string name;
  bool diverged = false;                    // a loss or gradient was not finite: `stats` are 0
  std::int64_t iteration = 0;               // at which it diverged, or its last
  CocoNumbers stats{};                      // on the tuning or the test split
  std::optional<ScoreQuality> scores = {};  // none where nothing is a hit, and for results of older versions
  double seconds = 0;                       // of training, while other runs may have run beside it
};
using RunResults = std::map<std::string, RunResult>;  // by name

/// The configurations of a contestant's grid and, where the protocol extends it, those that the results ask for: as
/// long as the best has the least or greatest learning rate that was tried with its settings, and some AP, the next
/// rate beyond it, by the same factor as the last step. A rate is added when all runs before it have ended.
std::vector<Configuration> configurations_tried(const Protocol& protocol, int contestant, const RunResults& results);

/// Whether its learning rate is the least or greatest of those, two or more, that were tried with its settings.
bool at_edge(const std::vector<Configuration>& tried, int configuration);

/// Of a contestant with one configuration there are none.
std::vector<PlannedRun> tuning_runs(const Protocol& protocol, int contestant, const RunResults& results = {});
/// The seeds of the final runs: the protocol's or, with a stopping rule, the first of them, as many as it asks for by
/// now.
std::vector<std::int64_t> final_seeds(const Protocol& protocol, const RunResults& results);
/// With the configuration that was chosen.
std::vector<PlannedRun> final_runs(const Protocol& protocol, int contestant, int configuration,
                                   const RunResults& results = {});
/// Of the whole study, as far as the results tell; the most there can be.
std::int64_t number_of_runs(const Protocol& protocol, const RunResults& results = {});
std::int64_t greatest_number_of_runs(const Protocol& protocol);

/// Mean AP over the tuning seeds of one configuration on the tuning split; all its runs must have ended.
double tuning_ap(const Protocol& protocol, int contestant, int configuration, const RunResults& results);

/// The configuration with the highest mean AP on the tuning split, the first on ties; nothing while runs are missing.
std::optional<int> chosen_configuration(const Protocol& protocol, int contestant, const RunResults& results);

/// Every run that can be known by now, with a result or without: all of tuning, then the final runs of contestants
/// whose tuning has ended.
std::vector<PlannedRun> known_runs(const Protocol& protocol, const RunResults& results);

/// Those without a result that could start now, in the order in which they should.
std::vector<PlannedRun> ready_runs(const Protocol& protocol, const RunResults& results);

/// The run's number in its phase, from 0 on, which no result changes: to deal runs out to workers that do not talk.
/// Runs of rates beyond the grid have numbers of others, too.
std::int64_t number_of(const Protocol& protocol, const PlannedRun& run);

/// The known run of that name; throws Error when there is none.
PlannedRun find_run(const Protocol& protocol, const RunResults& results, const std::string& name);

}  // namespace diopter
