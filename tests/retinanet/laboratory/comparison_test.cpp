#include "retinanet/laboratory/comparison.h"

#include <algorithm>
#include <sstream>

#include "data/metrics/precision_recall.h"
#include "kernels/base/json.h"
#include "tests/support/files.h"
#include "tests/support/protocols.h"

using namespace diopter;
using test::contains;

namespace {

/// Eight final seeds; AP in percent by contestant and seed. Tuning prefers the first learning rate.
struct Finished {
  Protocol protocol = parse_protocol(
      test::replaced(test::tiny_protocol(), "seeds = [1, 2]", "seeds = [1, 2, 3, 4, 5, 6, 7, 8]"), "p.toml");
  RunResults results;

  explicit Finished(const std::array<std::vector<double>, 3>& ap) {
    for (int c = 0; c < 3; ++c) {
      for (const PlannedRun& run : tuning_runs(protocol, c)) add(run, run.configuration == 0 ? 0.4 : 0.3);
      for (const PlannedRun& run : final_runs(protocol, c, 0)) add(run, ap[c][run.seed - 1] / 100);
    }
  }
  void add(const PlannedRun& run, double ap) {
    RunResult& r = results[run.name];
    r.name = run.name;
    r.stats.ap = ap;
    r.stats.ap50 = 2 * ap;
    r.seconds = 10;
  }
  std::vector<Score> scores() const { return compare(protocol, results); }
};

const std::vector<double> kBase{30, 31, 32, 33, 34, 35, 36, 37};

std::vector<double> shifted(const std::vector<double>& differences) {
  std::vector<double> ap = kBase;
  for (std::size_t i = 0; i < ap.size(); ++i) ap[i] += differences[i];
  return ap;
}

}  // namespace

TEST_CASE("contestants are compared with the baseline, paired over the seeds") {
  const std::vector<double> clear{2, 2.1, 1.9, 2.2, 1.8, 2, 2.3, 1.7}, vague{2, -2, 1, -1, 0.5, -0.5, 3, -2.5};
  const Finished study({kBase, shifted(clear), shifted(vague)});
  const std::vector<Score> scores = study.scores();
  REQUIRE(scores.size() == 3);
  REQUIRE(mean(scores[0].ap[0]) == Approx(33.5));
  REQUIRE(mean(scores[0].ap[1]) == Approx(67));
  REQUIRE_FALSE(scores[0].difference);
  REQUIRE(scores[0].seconds == Approx(10));
  REQUIRE(scores[0].lr_at_edge);

  const Difference& better = *scores[1].difference;
  REQUIRE(better.mean == Approx(2));
  REQUIRE(better.interval.low == Approx(t_interval(clear).low));
  REQUIRE(better.t_test == Approx(paired_t_test(clear)).epsilon(1e-6));
  REQUIRE(better.t_test_holm == Approx(2 * better.t_test));
  REQUIRE(better.wilcoxon == Approx(2.0 / 256));
  REQUIRE(better.significant);
  REQUIRE(contains(verdict(study.protocol, scores[1]),
                   "+2.0 AP against ce (95 % interval +1.8 to +2.2), p < 0.001: significantly better"));

  REQUIRE_FALSE(scores[2].difference->significant);
  REQUIRE(scores[2].difference->t_test_holm == Approx(scores[2].difference->t_test));
  REQUIRE(contains(verdict(study.protocol, scores[2]), "no significant difference"));
}

TEST_CASE("a difference is significant after Holm's correction, or not at all") {
  std::vector<double> first, second;
  for (int i = 0; i < 8; ++i) {
    first.push_back(i % 2 ? 2.03 : 0.03);  // p = 0.03 of either, which of two is twice as likely
    second.push_back(i % 2 ? 0.0 : 2.0);
  }
  const Finished study({kBase, shifted(first), shifted(second)});
  const std::vector<Score> scores = study.scores();
  for (std::size_t i = 1; i < 3; ++i) {
    const Difference& difference = *scores[i].difference;
    CHECK(difference.t_test < 0.05);
    CHECK(difference.t_test_holm > 0.05);
    CHECK_FALSE(difference.significant);
    CHECK(contains(verdict(study.protocol, scores[i]), "no significant difference"));
  }
}

TEST_CASE("with few seeds nothing is claimed") {
  const std::vector<double> clear{2, 2.1, 1.9, 2.2, 1.8, 2, 2.3, 1.7};
  Finished study({kBase, shifted(clear), kBase});
  study.protocol.final_seeds = {1, 2, 3};
  const std::vector<Score> scores = study.scores();
  REQUIRE(scores[1].ap[0].size() == 3);
  REQUIRE(scores[1].difference->t_test_holm < study.protocol.significance);
  REQUIRE_FALSE(scores[1].difference->significant);  // as the words: in table.csv, too
  REQUIRE(contains(verdict(study.protocol, scores[1]), "too few seeds for a claim"));
  REQUIRE(contains(caveats(study.protocol, scores).front(), "3 final seeds: fewer than the 8"));
  study.protocol.final_seeds = {1};
  const std::vector<Score> single = study.scores();
  REQUIRE(contains(report_markdown(study.protocol, study.results, single), "| ce | 0.02 | 30.0 |"));
  REQUIRE(contains(verdict(study.protocol, single[1]), "95 % interval unknown"));
}

TEST_CASE("diverged runs are counted and listed") {
  Finished study({kBase, kBase, shifted({-30, 0, 0, 0, 0, 0, 0, 0})});
  RunResult& diverged = study.results.at("final-wild-seed1");
  diverged.diverged = true;
  diverged.iteration = 4;
  const std::vector<Score> scores = study.scores();
  REQUIRE(scores[2].diverged == 1);
  REQUIRE(scores[2].ap[0][0] == 0);
  const std::string report = report_markdown(study.protocol, study.results, scores);
  REQUIRE(contains(report, "wild diverged in 1 of 8 final runs; each counts as AP 0."));
  REQUIRE(contains(report, "diverged at iteration 4"));
  REQUIRE(contains(report, "| 1 of 8 |"));
}

TEST_CASE("the report lists every run, and its tables have as many columns as their heads") {
  const Finished study({kBase, kBase, kBase});
  const std::string report = report_markdown(study.protocol, study.results, study.scores());
  for (const auto& [name, result] : study.results) REQUIRE(contains(report, "| " + name + " |"));
  REQUIRE(contains(report, protocol_hash(study.protocol)));
  std::istringstream lines(report);
  std::ptrdiff_t columns = 0;
  int rows = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto bars = std::count(line.begin(), line.end(), '|');
    if (columns > 0 && bars > 0) {
      INFO(line);
      REQUIRE(bars == columns);
      ++rows;
    }
    columns = bars;
  }
  REQUIRE(rows == 3 + 1 + 6 + 1 + 30 + 1);  // contestants, configurations, runs, and a rule under each head
}

TEST_CASE("the table as comma-separated text has a line a contestant and as many fields as its head") {
  const Finished study({kBase, kBase, kBase});
  std::istringstream lines(scores_csv(study.protocol, study.scores()));
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  REQUIRE(all.size() == 4);
  for (const std::string& line : all) {
    REQUIRE(std::count(line.begin(), line.end(), ',') == std::count(all[0].begin(), all[0].end(), ','));
  }
  REQUIRE(all[1].starts_with(protocol_hash(study.protocol) + ",ce,loss.kind=ce,0.02,8,33.5,"));
}

TEST_CASE("sensitivity is the share of the grid near the best, in the table, as CSV and as JSON") {
  Finished study({kBase, kBase, kBase});
  study.results["tune-focal-2-seed101"].stats.ap = 0.3801;  // the best has 0.4
  study.results["tune-wild-2-seed101"].stats.ap = 0.3799;
  const std::vector<Score> scores = study.scores();
  CHECK(scores[0].near_best == 0.5);
  CHECK(scores[1].near_best == 1.0);
  CHECK(scores[2].near_best == 0.5);
  CHECK(contains(format_scores(study.protocol, scores), "2 of 2 (100 %)"));
  CHECK(contains(report_markdown(study.protocol, study.results, scores), "1 of 2 (50 %)"));
  const auto json = parse_json(scores_json(study.protocol, scores));
  CHECK(json.at("protocol") == protocol_hash(study.protocol));
  CHECK(json.at("contestants")[1].at("near_best") == 1.0);
  CHECK(json.at("contestants")[1].at("AP").size() == 8);
  CHECK(json.at("contestants")[0].at("difference").is_null());
  CHECK(json.at("contestants")[1].at("difference").at("mean") == 0);
  CHECK(json.at("notes").size() == caveats(study.protocol, scores).size());
}

TEST_CASE("calibration and the best F1 are means of the runs that have them") {
  Finished study({kBase, kBase, kBase});
  study.results["final-focal-seed1"].scores = ScoreQuality{0.1, 0.4, 0.6};
  study.results["final-focal-seed3"].scores = ScoreQuality{0.3, 0.2, 0.7};
  const std::vector<Score> scores = study.scores();
  CHECK_FALSE(scores[0].scores);
  REQUIRE(scores[1].scores);
  CHECK(scores[1].scores->ece == Approx(0.2));
  CHECK(scores[1].scores->best_score == Approx(0.3));
  CHECK(scores[1].scores->best_f1 == Approx(0.65));
  CHECK(contains(report_markdown(study.protocol, study.results, scores), "| 0.200 | 0.650, 0.30 |"));
  const auto json = parse_json(scores_json(study.protocol, scores));
  CHECK(json.at("contestants")[1].at("scores").at("ece") == Approx(0.2));
  CHECK(json.at("contestants")[0].at("scores").is_null());
}

TEST_CASE("what tuning added is listed, and said where it cost more than the others had") {
  Finished study({kBase, kBase, kBase});
  study.protocol.extra_rates = 1;
  for (const char* name : {"tune-ce-3-seed101", "tune-focal-3-seed101", "tune-wild-3-seed101"}) {
    study.results[name] = {.name = name};  // AP 0
  }
  study.results["tune-focal-3-seed101"].stats.ap = 0.45;
  const std::vector<Score> scores = study.scores();
  CHECK(scores[0].extra_rates == 1);
  CHECK(scores[0].chosen.lr == 0.02);
  CHECK_FALSE(scores[0].lr_at_edge);  // the rate below it was worse
  CHECK(scores[1].chosen.lr == 0.004);
  CHECK(scores[1].lr_at_edge);
  CHECK(scores[1].near_best == 0.0);  // of the grid, none
  const std::string report = report_markdown(study.protocol, study.results, scores);
  CHECK(contains(report, "focal tried 1 learning rate beyond its grid"));
  CHECK(contains(report, "focal was best at the learning rate 0.004, the edge"));
  CHECK(contains(report, "| 45.0 | chosen (added) |"));
  CHECK(contains(report, "up to 1 time per contestant"));
}

TEST_CASE("a study that stopped early counts the seeds that it ran, and says what that does to its intervals") {
  Finished study({kBase, shifted({1, 1, 1, 1, 1, 1, 1, 1}), kBase});
  study.protocol.stop = StoppingRule{0.5, 3};
  const std::vector<Score> scores = study.scores();
  CHECK(scores[0].ap[0].size() == 3);
  CHECK_FALSE(scores[1].difference->significant);  // of three seeds nothing is claimed
  CHECK(contains(verdict(study.protocol, scores[1]), "too few seeds"));
  const std::string report = report_markdown(study.protocol, study.results, scores);
  CHECK(contains(report, "3 of at most 8 final seeds were run"));
  CHECK(contains(report, "at most 0.5 AP wide"));
  CHECK_FALSE(contains(report, "final-ce-seed4"));
}
