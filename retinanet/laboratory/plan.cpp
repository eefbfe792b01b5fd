#include "retinanet/laboratory/plan.h"

#include <algorithm>

#include "data/metrics/precision_recall.h"
#include "data/metrics/statistics.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

int contestants_of(const Protocol& protocol) { return static_cast<int>(protocol.contestants.size()); }

std::string tuning_name(const Protocol& protocol, int contestant, int configuration, std::int64_t seed) {
  return "tune-" + protocol.contestants[contestant].name + "-" + std::to_string(configuration + 1) + "-seed" +
         std::to_string(seed);
}

std::string final_name(const Protocol& protocol, int contestant, std::int64_t seed) {
  return "final-" + protocol.contestants[contestant].name + "-seed" + std::to_string(seed);
}

/// The best of the first `count` configurations, the first on ties; nothing while runs of them are missing.
std::optional<int> best_of_first(const Protocol& protocol, int contestant, int count, const RunResults& results) {
  for (int i = 0; i < count; ++i) {
    for (const std::int64_t seed : protocol.tuning_seeds) {
      if (!results.count(tuning_name(protocol, contestant, i, seed))) return {};
    }
  }
  int best = 0;
  double best_ap = -1;
  for (int i = 0; i < count; ++i) {
    const double ap = tuning_ap(protocol, contestant, i, results);
    if (ap <= best_ap) continue;
    best = i;
    best_ap = ap;
  }
  return best;
}

/// Learning rates that were tried with the settings of a configuration, ascending.
std::vector<double> rates_beside(const std::vector<Configuration>& tried, int configuration) {
  const auto text = [](const Configuration& c) {
    return join(c.settings, " ", [](const Setting& setting) { return setting.text(); });
  };
  std::vector<double> rates;
  for (const Configuration& c : tried) {
    if (text(c) == text(tried[configuration])) rates.push_back(c.lr);
  }
  std::sort(rates.begin(), rates.end());
  return rates;
}

/// The next learning rate beyond one at the edge.
double rate_beyond(const std::vector<Configuration>& tried, int configuration) {
  const std::vector<double> rates = rates_beside(tried, configuration);
  const double lr = tried[configuration].lr;
  return rounded_rate(lr * lr / (lr == rates.back() ? rates[rates.size() - 2] : rates[1]));
}

/// The widest 95 % interval of a difference to the baseline over the first `count` final seeds, in percentage points of
/// AP; nothing while runs of them are missing.
std::optional<double> widest_interval(const Protocol& protocol, std::size_t count, const RunResults& results) {
  std::vector<std::vector<double>> ap(protocol.contestants.size());
  for (int c = 0; c < contestants_of(protocol); ++c) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto found = results.find(final_name(protocol, c, protocol.final_seeds[i]));
      if (found == results.end()) return {};
      ap[c].push_back(100 * found->second.stats.ap);
    }
  }
  double widest = 0;
  for (const std::vector<double>& values : ap) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < count; ++i) differences.push_back(values[i] - ap[protocol.baseline][i]);
    const Interval interval = t_interval(differences);
    widest = std::max(widest, interval.high - interval.low);
  }
  return widest;
}

}  // namespace

bool at_edge(const std::vector<Configuration>& tried, int configuration) {
  const std::vector<double> rates = rates_beside(tried, configuration);
  const double lr = tried[configuration].lr;
  return rates.size() > 1 && (lr == rates.front() || lr == rates.back());
}

std::vector<Configuration> configurations_tried(const Protocol& protocol, int contestant, const RunResults& results) {
  std::vector<Configuration> tried = protocol.contestants[contestant].configurations;
  for (int added = 0; added < protocol.extra_rates; ++added) {
    const auto best = best_of_first(protocol, contestant, static_cast<int>(tried.size()), results);
    if (!best || !at_edge(tried, *best) || tuning_ap(protocol, contestant, *best, results) <= 0) break;
    tried.push_back({tried[*best].settings, rate_beyond(tried, *best)});
  }
  return tried;
}

std::vector<PlannedRun> tuning_runs(const Protocol& protocol, int contestant, const RunResults& results) {
  std::vector<PlannedRun> runs;
  const std::vector<Configuration> tried = configurations_tried(protocol, contestant, results);
  if (tried.size() == 1) return runs;
  for (int i = 0; i < static_cast<int>(tried.size()); ++i) {
    for (const std::int64_t seed : protocol.tuning_seeds) {
      runs.push_back({tuning_name(protocol, contestant, i, seed), Phase::tuning, contestant, i, seed, tried[i]});
    }
  }
  return runs;
}

std::vector<std::int64_t> final_seeds(const Protocol& protocol, const RunResults& results) {
  const std::vector<std::int64_t>& all = protocol.final_seeds;
  if (!protocol.stop) return all;
  std::size_t count = static_cast<std::size_t>(protocol.stop->least);
  while (count < all.size()) {
    const std::optional<double> width = widest_interval(protocol, count, results);
    if (!width || *width <= protocol.stop->width) break;
    ++count;
  }
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::vector<PlannedRun> final_runs(const Protocol& protocol, int contestant, int configuration,
                                   const RunResults& results) {
  std::vector<PlannedRun> runs;
  const std::vector<Configuration> tried = configurations_tried(protocol, contestant, results);
  for (const std::int64_t seed : final_seeds(protocol, results)) {
    runs.push_back(
        {final_name(protocol, contestant, seed), Phase::final, contestant, configuration, seed, tried[configuration]});
  }
  return runs;
}

std::int64_t number_of_runs(const Protocol& protocol, const RunResults& results) {
  std::size_t count = 0;
  for (int c = 0; c < contestants_of(protocol); ++c) {
    count += tuning_runs(protocol, c, results).size() + final_seeds(protocol, results).size();
  }
  return static_cast<std::int64_t>(count);
}

std::int64_t greatest_number_of_runs(const Protocol& protocol) {
  std::size_t count = 0;
  for (int c = 0; c < contestants_of(protocol); ++c) {
    const std::size_t tuned = tuning_runs(protocol, c).size();
    const std::size_t extra = static_cast<std::size_t>(protocol.extra_rates) * protocol.tuning_seeds.size();
    count += tuned + (tuned > 0 ? extra : 0) + protocol.final_seeds.size();
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
  const int tried = static_cast<int>(configurations_tried(protocol, contestant, results).size());
  return tried == 1 ? 0 : best_of_first(protocol, contestant, tried, results);
}

std::vector<PlannedRun> known_runs(const Protocol& protocol, const RunResults& results) {
  std::vector<PlannedRun> runs;
  const auto add = [&](const std::vector<PlannedRun>& more) { runs.insert(runs.end(), more.begin(), more.end()); };
  for (int c = 0; c < contestants_of(protocol); ++c) add(tuning_runs(protocol, c, results));
  for (int c = 0; c < contestants_of(protocol); ++c) {
    if (const auto chosen = chosen_configuration(protocol, c, results)) add(final_runs(protocol, c, *chosen, results));
  }
  return runs;
}

std::vector<PlannedRun> ready_runs(const Protocol& protocol, const RunResults& results) {
  std::vector<PlannedRun> runs = known_runs(protocol, results);
  std::erase_if(runs, [&](const PlannedRun& run) { return results.count(run.name) > 0; });
  return runs;
}

std::int64_t number_of(const Protocol& protocol, const PlannedRun& run) {
  const bool tuning = run.phase == Phase::tuning;
  const std::vector<std::int64_t>& seeds = tuning ? protocol.tuning_seeds : protocol.final_seeds;
  std::int64_t before = 0;  // configurations
  for (int c = 0; c < run.contestant; ++c) {
    before += tuning ? std::ssize(protocol.contestants[c].configurations) : 1;
  }
  const auto seed = std::find(seeds.begin(), seeds.end(), run.seed) - seeds.begin();
  return (before + (tuning ? run.configuration : 0)) * std::ssize(seeds) + seed;
}

PlannedRun find_run(const Protocol& protocol, const RunResults& results, const std::string& name) {
  const std::vector<PlannedRun> runs = known_runs(protocol, results);
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const PlannedRun& run) { return run.name == name; });
  DIOPTER_CHECK(found != runs.end(), name, ": no run of this study, or one whose tuning has not ended");
  return *found;
}

}  // namespace diopter
