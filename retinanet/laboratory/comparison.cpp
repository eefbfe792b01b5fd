#include "retinanet/laboratory/comparison.h"

#include <algorithm>

#include "data/metrics/precision_recall.h"

namespace diopter {

namespace {

Score score_of(const Protocol& protocol, int contestant, const RunResults& results) {
  const Contestant& c = protocol.contestants[contestant];
  Score score{};
  score.contestant = contestant;
  score.configuration = chosen_configuration(protocol, contestant, results).value();
  for (const PlannedRun& run : final_runs(protocol, contestant, score.configuration)) {
    const RunResult& result = results.at(run.name);
    for (std::size_t i = 0; i < score.ap.size(); ++i) score.ap[i].push_back(100 * result.stats.*kShownNumbers[i].value);
    score.diverged += result.diverged;
    score.seconds += result.seconds / static_cast<double>(protocol.final_seeds.size());
  }
  score.interval = t_interval(score.ap[0]);
  std::vector<double> rates;
  for (const Configuration& configuration : c.configurations) rates.push_back(configuration.lr);
  const auto [least, greatest] = std::minmax_element(rates.begin(), rates.end());
  const double lr = rates[score.configuration];
  score.lr_at_edge = *least < *greatest && (lr == *least || lr == *greatest) &&
                     tuning_ap(protocol, contestant, score.configuration, results) > 0;
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
        protocol.final_seeds.size() >= kSeedsForAClaim && score.difference->t_test_holm < protocol.significance;
  }
  return scores;
}

}  // namespace diopter
