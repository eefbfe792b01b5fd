// Comparison that a finished study allows: per contestant the numbers on the test split, and the difference to the
// baseline with its uncertainty.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "data/metrics/statistics.h"
#include "retinanet/laboratory/plan.h"

namespace diopter {

/// Of AP in percent, paired over the final seeds: contestant minus baseline.
struct Difference {
  double mean;
  Interval interval;               // 95 %, Student's t
  double t_test, t_test_holm;      // p of the paired t-test; corrected over the contestants
  double wilcoxon, wilcoxon_holm;  // p of the signed-rank test, likewise
  bool significant;                // t_test_holm is below the protocol's level, of kSeedsForAClaim seeds or more
};

/// The numbers that tables of a study show: AP, which decides, AP50 and AP75.
inline constexpr std::span<const CocoNumber, 3> kShownNumbers(kCocoNumbers, 3);

/// Within how many percentage points of the best AP a configuration counts as nearly as good.
inline constexpr double kNearBest = 2;

struct Score {
  int contestant, configuration;                             // indices; the configuration is the chosen one
  Configuration chosen;                                      // of that index
  std::array<std::vector<double>, kShownNumbers.size()> ap;  // in percent, by final seed; a diverged run counts as 0
  Interval interval;                                         // 95 % of the mean AP, Student's t
  std::optional<Difference> difference;                      // none for the baseline
  bool lr_at_edge;  // the chosen learning rate worked and is the least or greatest of those tried
  int extra_rates;  // that were added to the grid
  /// Sensitivity: the share of the grid within kNearBest of the best on the tuning split; none where nothing was tuned.
  std::optional<double> near_best;
  std::optional<ScoreQuality> scores;  // means of the final runs that have one
  int diverged;                        // of the final runs
  double seconds;                      // mean of the final runs' training
};

/// By contestant, in the protocol's order. All runs must have ended.
std::vector<Score> compare(const Protocol& protocol, const RunResults& results);

/// "+1.5 AP against ce (95 % interval -0.3 to +3.3), p = 0.110: no significant difference", or "the baseline".
std::string verdict(const Protocol& protocol, const Score& score);

/// Caveats: what a reader must know of the study before believing its table, one sentence each.
std::vector<std::string> caveats(const Protocol& protocol, const std::vector<Score>& scores);

/// For terminals: a line per contestant.
std::string format_scores(const Protocol& protocol, const std::vector<Score>& scores);

/// The table as comma-separated text, numbers in full.
std::string scores_csv(const Protocol& protocol, const std::vector<Score>& scores);

/// The same as JSON: an object with the protocol's hash and an array of contestants; what there is none of is null.
std::string scores_json(const Protocol& protocol, const std::vector<Score>& scores);

/// The whole report: protocol, table, verdicts, caveats, tuning, all runs.
std::string report_markdown(const Protocol& protocol, const RunResults& results, const std::vector<Score>& scores);

}  // namespace diopter
