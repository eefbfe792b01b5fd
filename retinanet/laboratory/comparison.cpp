#include "retinanet/laboratory/comparison.h"

#include <algorithm>

#include "data/metrics/precision_recall.h"

namespace diopter {

namespace {

/// Of the protocol's own grid, against the best of all that was tried.
double share_near_best(const Protocol& protocol, const Score& score, const RunResults& results) {
  const double best = tuning_ap(protocol, score.contestant, score.configuration, results);
  const int grid = static_cast<int>(protocol.contestants[score.contestant].configurations.size());
  int near = 0;
  for (int i = 0; i < grid; ++i) {
    near += 100 * (best - tuning_ap(protocol, score.contestant, i, results)) <= kNearBest;
  }
  return static_cast<double>(near) / grid;
}

std::optional<ScoreQuality> mean_quality(const std::vector<ScoreQuality>& all) {
  if (all.empty()) return {};
  ScoreQuality sum{};
  for (const ScoreQuality& one : all) {
    sum.ece += one.ece;
    sum.best_score += one.best_score;
    sum.best_f1 += one.best_f1;
  }
  const auto count = static_cast<double>(all.size());
  return ScoreQuality{sum.ece / count, sum.best_score / count, sum.best_f1 / count};
}

Score score_of(const Protocol& protocol, int contestant, const RunResults& results) {
  const std::vector<Configuration> tried = configurations_tried(protocol, contestant, results);
  Score score{};
  score.contestant = contestant;
  score.configuration = chosen_configuration(protocol, contestant, results).value();
  score.chosen = tried[score.configuration];
  const std::vector<PlannedRun> runs = final_runs(protocol, contestant, score.configuration, results);
  std::vector<ScoreQuality> qualities;
  for (const PlannedRun& run : runs) {
    const RunResult& result = results.at(run.name);
    for (std::size_t i = 0; i < score.ap.size(); ++i) score.ap[i].push_back(100 * result.stats.*kShownNumbers[i].value);
    if (result.scores) qualities.push_back(*result.scores);
    score.diverged += result.diverged;
    score.seconds += result.seconds / static_cast<double>(runs.size());
  }
  score.scores = mean_quality(qualities);
  score.interval = t_interval(score.ap[0]);
  score.extra_rates = static_cast<int>(tried.size() - protocol.contestants[contestant].configurations.size());
  if (tried.size() == 1) return score;
  score.near_best = share_near_best(protocol, score, results);
  score.lr_at_edge =
      at_edge(tried, score.configuration) && tuning_ap(protocol, contestant, score.configuration, results) > 0;
  return score;
}

}  // namespace

std::vector<Score> compare(const Protocol& protocol, const RunResults& results) {
  std::vector<Score> scores;
  for (int c = 0; c < static_cast<int>(protocol.contestants.size()); ++c) {
    scores.push_back(score_of(protocol, c, results));
  }
  std::vector<double> t_tests, wilcoxons;
  for (Score& score : scores) {
    if (&score == &scores[protocol.baseline]) continue;
    std::vector<double> differences = score.ap[0];
    for (std::size_t i = 0; i < differences.size(); ++i) differences[i] -= scores[protocol.baseline].ap[0][i];
    t_tests.push_back(paired_t_test(differences));
    wilcoxons.push_back(wilcoxon_signed_rank(differences));
    score.difference = Difference{.mean = mean(differences),
                                  .interval = t_interval(differences),
                                  .t_test = t_tests.back(),
                                  .t_test_holm = 1,
                                  .wilcoxon = wilcoxons.back(),
                                  .wilcoxon_holm = 1,
                                  .significant = false};
  }
  const std::vector<double> t_tests_holm = holm(t_tests), wilcoxons_holm = holm(wilcoxons);
  std::size_t i = 0;
  for (Score& score : scores) {
    if (!score.difference) continue;
    score.difference->t_test_holm = t_tests_holm[i];
    score.difference->wilcoxon_holm = wilcoxons_holm[i++];
    score.difference->significant =
        score.ap[0].size() >= kSeedsForAClaim && score.difference->t_test_holm < protocol.significance;
  }
  return scores;
}

}  // namespace diopter
