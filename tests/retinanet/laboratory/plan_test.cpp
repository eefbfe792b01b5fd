#include "retinanet/laboratory/plan.h"

#include <set>

#include "tests/support/files.h"
#include "tests/support/protocols.h"

using namespace diopter;
using test::contains;
using test::error_of;

namespace {

Protocol tiny() { return parse_protocol(test::tiny_protocol(), "p.toml"); }

std::set<std::string> names_of(const std::vector<PlannedRun>& runs) {
  std::set<std::string> names;
  for (const PlannedRun& run : runs) names.insert(run.name);
  return names;
}

RunResult result(const std::string& name, double ap) {
  RunResult r{.name = name};
  r.stats.ap = ap;
  return r;
}

}  // namespace

TEST_CASE("a study tunes every configuration with every seed first") {
  Protocol p = tiny();
  p.tuning_seeds = {7, 8};
  const std::vector<PlannedRun> runs = ready_runs(p, {});
  REQUIRE(runs.size() == 3 * 2 * 2);
  REQUIRE(names_of(runs).size() == runs.size());
  REQUIRE(names_of(runs).count("tune-focal-2-seed8") == 1);
  for (const PlannedRun& run : runs) REQUIRE(run.phase == Phase::tuning);
  REQUIRE(number_of_runs(p) == 12 + 3 * 2);
}

TEST_CASE("a contestant's final runs have its best configuration and the seeds that all share") {
  const Protocol p = tiny();
  RunResults results;
  for (const RunResult& r : {result("tune-ce-1-seed101", 0.2), result("tune-ce-2-seed101", 0.3)}) results[r.name] = r;
  REQUIRE(chosen_configuration(p, 0, results) == 1);
  REQUIRE_FALSE(chosen_configuration(p, 1, results));
  const std::vector<PlannedRun> runs = ready_runs(p, results);
  REQUIRE(names_of(runs) == std::set<std::string>{"tune-focal-1-seed101", "tune-focal-2-seed101", "tune-wild-1-seed101",
                                                  "tune-wild-2-seed101", "final-ce-seed1", "final-ce-seed2"});
  for (const PlannedRun& run : runs) REQUIRE((run.phase == Phase::tuning || run.configuration == 1));
  REQUIRE(runs.back().seed == 2);
  REQUIRE(find_run(p, results, "final-ce-seed1").configuration == 1);
  REQUIRE(contains(error_of([&] { find_run(p, results, "final-focal-seed1"); }),
                   "final-focal-seed1: no run of this study"));
}

TEST_CASE("the mean over the tuning seeds chooses, the first configuration on ties") {
  Protocol p = tiny();
  p.tuning_seeds = {7, 8};
  RunResults results;
  const auto set = [&](int configuration, double first, double second) {
    const std::string name = "tune-ce-" + std::to_string(configuration);
    results[name + "-seed7"] = result(name + "-seed7", first);
    results[name + "-seed8"] = result(name + "-seed8", second);
  };
  set(1, 0.9, 0.1);
  set(2, 0.6, 0.5);
  REQUIRE(chosen_configuration(p, 0, results) == 1);
  REQUIRE(tuning_ap(p, 0, 1, results) == Approx(0.55));
  set(1, 0.5, 0.6);
  REQUIRE(chosen_configuration(p, 0, results) == 0);
}

TEST_CASE("a contestant with one configuration has nothing to tune") {
  Protocol p = tiny();
  for (Contestant& c : p.contestants) c.configurations.resize(1);
  REQUIRE(chosen_configuration(p, 2, {}) == 0);
  const std::vector<PlannedRun> runs = ready_runs(p, {});
  REQUIRE(runs.size() == 6);
  REQUIRE(number_of_runs(p) == 6);
  for (const PlannedRun& run : runs) REQUIRE(run.phase == Phase::final);
}
