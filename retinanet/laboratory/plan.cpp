#include "retinanet/laboratory/plan.h"

#include <algorithm>

#include "data/metrics/precision_recall.h"
#include "kernels/base/check.h"

namespace diopter {

namespace {

int contestants_of(const Protocol& protocol) { return static_cast<int>(protocol.contestants.size()); }

int configurations_of(const Protocol& protocol, int contestant) {
  return static_cast<int>(protocol.contestants[contestant].configurations.size());
}

std::string tuning_name(const Protocol& protocol, int contestant, int configuration, std::int64_t seed) {
  return "tune-" + protocol.contestants[contestant].name + "-" + std::to_string(configuration + 1) + "-seed" +
         std::to_string(seed);
}

}  // namespace

std::vector<PlannedRun> tuning_runs(const Protocol& protocol, int contestant) {
  std::vector<PlannedRun> runs;
  const int configurations = configurations_of(protocol, contestant);
  if (configurations == 1) return runs;
  for (int i = 0; i < configurations; ++i) {
    for (const std::int64_t seed : protocol.tuning_seeds) {
      runs.push_back({tuning_name(protocol, contestant, i, seed), Phase::tuning, contestant, i, seed});
    }
  }
  return runs;
}

std::vector<PlannedRun> final_runs(const Protocol& protocol, int contestant, int configuration) {
  std::vector<PlannedRun> runs;
  for (const std::int64_t seed : protocol.final_seeds) {
    const std::string name = "final-" + protocol.contestants[contestant].name + "-seed" + std::to_string(seed);
    runs.push_back({name, Phase::final, contestant, configuration, seed});
  }
  return runs;
}

std::int64_t number_of_runs(const Protocol& protocol) {
  std::size_t count = 0;
  for (int c = 0; c < contestants_of(protocol); ++c) {
    count += tuning_runs(protocol, c).size() + protocol.final_seeds.size();
  }
  return static_cast<std::int64_t>(count);
}

double tuning_ap(const Protocol& protocol, int contestant, int configuration, const RunResults& results) {
  std::vector<double> ap;
  for (const std::int64_t seed : protocol.tuning_seeds) {
    ap.push_back(results.at(tuning_name(protocol, contestant, configuration, seed)).stats.ap);
  }
  return mean(ap);
}

std::optional<int> chosen_configuration(const Protocol& protocol, int contestant, const RunResults& results) {
  for (const PlannedRun& run : tuning_runs(protocol, contestant)) {
    if (!results.count(run.name)) return {};
  }
  int best = 0;
  double best_ap = -1;
  for (int i = 0; i < configurations_of(protocol, contestant) && configurations_of(protocol, contestant) > 1; ++i) {
    const double ap = tuning_ap(protocol, contestant, i, results);
    if (ap <= best_ap) continue;
    best = i;
    best_ap = ap;
  }
  return best;
}

std::vector<PlannedRun> known_runs(const Protocol& protocol, const RunResults& results) {
  std::vector<PlannedRun> runs;
  const auto add = [&](const std::vector<PlannedRun>& more) { runs.insert(runs.end(), more.begin(), more.end()); };
  for (int c = 0; c < contestants_of(protocol); ++c) add(tuning_runs(protocol, c));
  for (int c = 0; c < contestants_of(protocol); ++c) {
    if (const auto chosen = chosen_configuration(protocol, c, results)) add(final_runs(protocol, c, *chosen));
  }
  return runs;
}

std::vector<PlannedRun> ready_runs(const Protocol& protocol, const RunResults& results) {
  std::vector<PlannedRun> runs = known_runs(protocol, results);
  std::erase_if(runs, [&](const PlannedRun& run) { return results.count(run.name) > 0; });
  return runs;
}

PlannedRun find_run(const Protocol& protocol, const RunResults& results, const std::string& name) {
  const std::vector<PlannedRun> runs = known_runs(protocol, results);
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const PlannedRun& run) { return run.name == name; });
  DIOPTER_CHECK(found != runs.end(), name, ": no run of this study, or one whose tuning has not ended");
  return *found;
}

}  // namespace diopter
