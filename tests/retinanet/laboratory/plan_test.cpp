#include "retinanet/laboratory/plan.h"

#include <cmath>
#include <set>

#include "data/metrics/statistics.h"
#include "kernels/base/philox.h"

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

namespace {

Protocol with_tuning(const std::string& more) {
  return parse_protocol(test::replaced(test::tiny_protocol(), "seeds = [101]", "seeds = [101]\n" + more), "p.toml");
}

/// Learning rates that the first contestant tries when AP depends on the rate as told.
template <class Ap>
std::vector<double> rates_tried(const Protocol& p, const Ap& ap) {
  RunResults results;
  for (bool more = true; more;) {
    more = false;
    for (const PlannedRun& run : tuning_runs(p, 0, results)) {
      if (results.count(run.name)) continue;
      results[run.name] = result(run.name, ap(run.values.lr));
      more = true;
    }
  }
  std::vector<double> rates;
  for (const Configuration& c : configurations_tried(p, 0, results)) rates.push_back(c.lr);
  REQUIRE(chosen_configuration(p, 0, results));
  return rates;
}

}  // namespace

TEST_CASE("a best at the edge of the grid adds the rate beyond it, until it is inside or the budget is spent") {
  const Protocol p = with_tuning("extend = true");  // rates .02 and .1
  REQUIRE(p.extra_rates == 4);
  const auto hill = [](double top) { return [top](double lr) { return 1 - 0.1 * std::fabs(std::log(lr / top)); }; };
  CHECK(rates_tried(p, hill(0.1)) == std::vector<double>{0.02, 0.1, 0.5});
  CHECK(rates_tried(p, hill(0.5)) == std::vector<double>{0.02, 0.1, 0.5, 2.5});
  CHECK(rates_tried(p, hill(0.004)) == std::vector<double>{0.02, 0.1, 0.004, 0.0008});
  CHECK(rates_tried(p, [](double lr) { return lr / 1000; }) == std::vector<double>{0.02, 0.1, 0.5, 2.5, 12.5, 62.5});
  CHECK(rates_tried(p, [](double) { return 0.0; }) == std::vector<double>{0.02, 0.1});  // nothing worked
  CHECK(rates_tried(with_tuning(""), hill(0.5)) == std::vector<double>{0.02, 0.1});
  CHECK(rates_tried(with_tuning("extend = true\nextra_rates = 1"), hill(9)) == std::vector<double>{0.02, 0.1, 0.5});
  CHECK(number_of_runs(p) == 12);
  CHECK(greatest_number_of_runs(p) == 12 + 3 * 4);
}

TEST_CASE("rates are added to the settings that were best, and the final runs have the one that won") {
  const Protocol p =
      parse_protocol(test::replaced(test::replaced(test::replaced(test::tiny_protocol(), "seeds = [101]",
                                                                  "seeds = [101, 102]\nextend = true\npad = true"),
                                                   "settings = [\"loss.gamma=2\"]", "grid.loss.gamma = [1, 2]"),
                                    "settings = [\"loss.kind=ce\"]", "grid.loss.gamma = [1, 2]"),
                     "p.toml");
  RunResults results;
  for (const PlannedRun& run : tuning_runs(p, 1)) results[run.name] = result(run.name, 0.1);
  for (const std::int64_t seed : p.tuning_seeds) {
    results["tune-focal-4-seed" + std::to_string(seed)].stats.ap = 0.3;  // gamma 2, the greatest rate
  }
  REQUIRE_FALSE(chosen_configuration(p, 1, results));
  const std::vector<Configuration> tried = configurations_tried(p, 1, results);
  REQUIRE(tried.size() == 5);
  CHECK(tried[4].lr == 0.5);
  CHECK(tried[4].settings.at(0).text() == "loss.gamma=2");
  CHECK(find_run(p, results, "tune-focal-5-seed102").values.lr == 0.5);
  results["tune-focal-5-seed101"] = result("tune-focal-5-seed101", 0.4);
  REQUIRE_FALSE(chosen_configuration(p, 1, results));  // both seeds decide
  results["tune-focal-5-seed102"] = result("tune-focal-5-seed102", 0.1);
  CHECK(chosen_configuration(p, 1, results) == 3);
  CHECK(configurations_tried(p, 1, results).size() == 5);
  CHECK(find_run(p, results, "final-focal-seed1").values.lr == 0.1);
}

namespace {

Protocol sequential(int most, const std::string& rule) {
  std::string seeds = "1";
  for (int seed = 2; seed <= most; ++seed) seeds += ", " + std::to_string(seed);
  const std::string text = test::replaced(test::tiny_protocol(), "seeds = [1, 2]", "seeds = [" + seeds + "]\n" + rule);
  Protocol p = parse_protocol(text, "p.toml");
  for (Contestant& c : p.contestants) c.configurations.resize(1);
  return p;
}

void add_final(RunResults& results, const std::string& contestant, int seed, double ap_in_percent) {
  const std::string name = "final-" + contestant + "-seed" + std::to_string(seed);
  results[name] = result(name, ap_in_percent / 100);
}

}  // namespace

TEST_CASE("seeds go on one by one until all intervals are narrow enough, or the last") {
  const Protocol p = sequential(5, "stop_at_width = 4\nleast = 3");
  RunResults results;
  const auto add = [&](int seed, double focal, double wild) {
    add_final(results, "ce", seed, 50);
    add_final(results, "focal", seed, 50 + focal);
    add_final(results, "wild", seed, 50 + wild);
  };
  CHECK(final_seeds(p, results).size() == 3);
  CHECK(number_of_runs(p) == 9);
  CHECK(greatest_number_of_runs(p) == 15);
  add(1, 1, 0);
  add(2, 1.1, 4);
  CHECK(final_seeds(p, results).size() == 3);
  add(3, 0.9, 0);  // wild's interval is wide
  CHECK(final_seeds(p, results) == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(names_of(ready_runs(p, results)) ==
        std::set<std::string>{"final-ce-seed4", "final-focal-seed4", "final-wild-seed4"});
  RunResults narrow = results;
  for (const char* seed : {"1", "2", "3"}) narrow["final-wild-seed" + std::string(seed)].stats.ap = 0.5;
  CHECK(final_seeds(p, narrow).size() == 3);
  CHECK(ready_runs(p, narrow).empty());
  add(4, 1, 0);
  add(5, 1, 0);
  CHECK(final_seeds(p, results).size() == 5);
  CHECK(ready_runs(p, results).empty());
}

namespace {

struct Coverage {
  double share, seeds;  // of intervals that hold the true difference; mean number of seeds
};

/// Of 1,500 studies of at most 32 seeds whose differences are normal with mean 0 and standard deviation 1.5.
Coverage simulated_coverage(const Protocol& p) {
  constexpr int kStudies = 1500;
  int held = 0;
  double seeds = 0;
  for (int study = 0; study < kStudies; ++study) {
    Philox random(7, static_cast<std::uint64_t>(study));
    RunResults results;
    std::vector<double> all;
    for (int seed = 1; seed <= 32; ++seed) {
      all.push_back(1.5 * static_cast<double>(random.normal()));
      add_final(results, "ce", seed, 50);
      add_final(results, "focal", seed, 50 + all.back());
      add_final(results, "wild", seed, 50);
    }
    const std::size_t count = final_seeds(p, results).size();
    const Interval interval = t_interval({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)});
    held += interval.low <= 0 && 0 <= interval.high;
    seeds += static_cast<double>(count) / kStudies;
  }
  return {static_cast<double>(held) / kStudies, seeds};
}

}  // namespace

// docs/comparing.md states these figures.
TEST_CASE("an interval that decides when to stop holds the truth less often than it says, more so from few seeds on") {
  const Coverage from_eight = simulated_coverage(sequential(32, "stop_at_width = 2"));
  CHECK(from_eight.share == Approx(0.943).margin(0.003));
  CHECK(from_eight.seeds == Approx(11.2).margin(0.2));
  const Coverage from_three = simulated_coverage(sequential(32, "stop_at_width = 2\nleast = 3"));
  CHECK(from_three.share == Approx(0.912).margin(0.003));
  CHECK(from_three.seeds == Approx(10).margin(0.2));
}
