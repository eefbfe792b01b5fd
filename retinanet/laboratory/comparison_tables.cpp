// The tables and sentences of comparison.h.
#include <algorithm>
#include <cmath>

#include "data/metrics/precision_recall.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "retinanet/laboratory/comparison.h"
#include "retinanet/laboratory/comparison_tables.h"

namespace diopter {

namespace {

using nlohmann::ordered_json;

/// "53.2 +- 2.2"; without the standard deviation where one run has none.
std::string mean_and_deviation(const std::vector<double>& values, const char* plus_minus) {
  const std::string text = formatted("%.1f", mean(values));
  return values.size() < 2 ? text : text + plus_minus + formatted("%.1f", standard_deviation(values));
}

std::string range(const Interval& interval, const char* pattern) {
  if (!std::isfinite(interval.low)) return "unknown";
  return formatted(pattern, interval.low) + " to " + formatted(pattern, interval.high);
}

std::string p_value(double p) { return p < 0.001 ? "< 0.001" : formatted("%.3f", p); }

/// "1 time", "2 times".
std::string counted(int n, const std::string& noun) { return std::to_string(n) + " " + noun + (n == 1 ? "" : "s"); }

std::string lr_text(double lr) { return formatted("%g", lr); }

const Contestant& contestant_of(const Protocol& protocol, const Score& score) {
  return protocol.contestants[score.contestant];
}

/// "3 of 4 (75 %)", of a contestant's grid.
std::string near_best_text(const Protocol& protocol, const Score& score) {
  if (!score.near_best) return "not tuned";
  const auto grid = contestant_of(protocol, score).configurations.size();
  return formatted("%.0f", *score.near_best * static_cast<double>(grid)) + " of " + std::to_string(grid) +
         formatted(" (%.0f %%)", 100 * *score.near_best);
}

std::string shown_settings(const Contestant& contestant, const Configuration& configuration) {
  const std::string settings = settings_text(contestant, configuration);
  return settings.empty() ? "as the preset" : "`" + settings + "`";
}

const std::string& baseline_name(const Protocol& protocol) { return protocol.contestants[protocol.baseline].name; }

std::string text_of(const std::vector<std::int64_t>& seeds) {
  return join(seeds, ", ", [](std::int64_t seed) { return std::to_string(seed); });
}

/// [low, high]; null where one run has none.
ordered_json interval_json(const Interval& interval) {
  if (!std::isfinite(interval.low)) return nullptr;
  return {interval.low, interval.high};
}

std::string stopping_text(const Protocol& protocol) {
  if (!protocol.stop) return "";
  return formatted(
      ", of which as many were run, %d at least, as made the 95 %% interval of every difference at most "
      "%g AP wide",
      protocol.stop->least, protocol.stop->width);
}

}  // namespace

std::string TextTable::markdown() const {
  const auto line_of = [](const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const std::string& cell : cells) line += (cell.empty() ? "" : " ") + cell + " |";
    return line + "\n";
  };
  std::string text = line_of(columns) + "|";
  for (std::size_t i = 0; i < columns.size(); ++i) text += "---|";
  text += "\n";
  for (const std::vector<std::string>& row : rows) text += line_of(row);
  return text;
}

std::vector<std::string> protocol_lines(const Protocol& p) {
  std::string training = "preset `" + p.preset + "`, " + std::to_string(p.iterations) + " iterations per run";
  for (const Setting& setting : p.settings) training += ", `" + setting.text() + "`";
  const std::size_t tried = p.contestants[0].configurations.size();
  std::string tuning = "tuning: " + counted(static_cast<int>(tried), "configuration") + " per contestant";
  if (p.fixed_lr) {
    tuning += formatted(", the learning rate %g fixed for all", p.contestants[0].configurations[0].lr);
  }
  if (tried > 1) {
    tuning += " with the seeds " + text_of(p.tuning_seeds) + "; the best mean AP on the tuning split was chosen";
  }
  if (p.extra_rates > 0) {
    tuning += "; beyond a best at the edge of the grid the next learning rate was tried, up to " +
              counted(p.extra_rates, "time") + " per contestant";
  }
  return {"protocol `" + protocol_hash(p) + "`, kept in `protocol.toml`", training, tuning,
          "final runs: seeds " + text_of(p.final_seeds) + stopping_text(p) +
              ", shared by all contestants; the last weights evaluated once on the test split",
          "baseline: " + baseline_name(p) + "; significance level " + formatted("%g", p.significance) +
              ", for the paired t-test with Holm's correction over the contestants"};
}

TextTable score_table(const Protocol& p, const std::vector<Score>& scores) {
  TextTable table{{"contestant", "learning rate", "AP", "AP50", "AP75", "95 % interval of AP", "difference",
                   "its 95 % interval", "p (t)", "p, Holm", "p (Wilcoxon)", "p, Holm", "ECE", "best F1, from score",
                   "grid within 2 AP", "diverged", "seconds per run", "settings"},
                  {}};
  for (const Score& s : scores) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row = {contestant_of(p, s).name, lr_text(s.chosen.lr)};
    for (const std::vector<double>& ap : s.ap) row.push_back(mean_and_deviation(ap, " ± "));
    row.push_back(range(s.interval, "%.1f"));
    if (s.difference) {
      const Difference& d = *s.difference;
      row.push_back(formatted("%+.1f", d.mean));
      row.push_back(range(d.interval, "%+.1f"));
      for (const double value : {d.t_test, d.t_test_holm, d.wilcoxon, d.wilcoxon_holm}) row.push_back(p_value(value));
    } else {
      row.insert(row.end(), {"baseline", "", "", "", "", ""});
    }
    row.push_back(s.scores ? formatted("%.3f", s.scores->ece) : "");
    row.push_back(s.scores ? formatted("%.3f, %.2f", s.scores->best_f1, s.scores->best_score) : "");
    row.push_back(near_best_text(p, s));
    row.push_back(std::to_string(s.diverged) + " of " + std::to_string(s.ap[0].size()));
    row.push_back(formatted("%.0f", s.seconds));
    row.push_back(shown_settings(contestant_of(p, s), s.chosen));
  }
  return table;
}

TextTable tuning_table(const Protocol& p, const RunResults& results, const std::vector<Score>& scores) {
  TextTable table{{"contestant", "settings", "learning rate", "mean AP", "AP by seed", ""}, {}};
  for (const Score& s : scores) {
    const std::vector<PlannedRun> runs = tuning_runs(p, s.contestant, results);
    const Contestant& contestant = contestant_of(p, s);
    for (std::size_t first = 0; first < runs.size(); first += p.tuning_seeds.size()) {
      const int index = runs[first].configuration;
      const Configuration& configuration = runs[first].values;
      std::string by_seed;
      for (std::size_t i = first; i < first + p.tuning_seeds.size(); ++i) {
        const RunResult& result = results.at(runs[i].name);
        by_seed += (i > first ? ", " : "") + (result.diverged ? "diverged" : formatted("%.1f", 100 * result.stats.ap));
      }
      table.rows.push_back({contestant.name, shown_settings(contestant, configuration), lr_text(configuration.lr),
                            formatted("%.1f", 100 * tuning_ap(p, s.contestant, index, results)), by_seed,
                            std::string(index == s.configuration ? "chosen" : "") +
                                (index >= static_cast<int>(contestant.configurations.size()) ? " (added)" : "")});
    }
  }
  return table;
}

TextTable run_table(const Protocol& p, const RunResults& results) {
  TextTable table{{"run", "learning rate", "AP", "AP50", "AP75", "seconds", ""}, {}};
  for (const PlannedRun& run : known_runs(p, results)) {
    const RunResult& result = results.at(run.name);
    std::vector<std::string>& row = table.rows.emplace_back();
    row = {run.name, lr_text(run.values.lr)};
    for (const CocoNumber& number : kShownNumbers) row.push_back(formatted("%.1f", 100 * result.stats.*number.value));
    row.push_back(formatted("%.0f", result.seconds));
    row.push_back(result.diverged ? "diverged at iteration " + std::to_string(result.iteration) : "");
  }
  return table;
}

std::string verdict(const Protocol& protocol, const Score& score) {
  if (!score.difference) return "the baseline";
  const Difference& d = *score.difference;
  const std::string facts = formatted("%+.1f AP against ", d.mean) + baseline_name(protocol) + " (95 % interval " +
                            range(d.interval, "%+.1f") + "), p " + (d.t_test_holm < 0.001 ? "" : "= ") +
                            p_value(d.t_test_holm) + ": ";
  if (score.ap[0].size() < kSeedsForAClaim) return facts + "too few seeds for a claim";
  if (!d.significant) return facts + "no significant difference";
  return facts + (d.mean > 0 ? "significantly better" : "significantly worse");
}

std::vector<std::string> caveats(const Protocol& protocol, const std::vector<Score>& scores) {
  std::vector<std::string> all;
  const std::size_t seeds = scores[0].ap[0].size();
  if (protocol.stop) {
    all.push_back(std::to_string(seeds) + " of at most " + std::to_string(protocol.final_seeds.size()) +
                  " final seeds were run: the intervals decided when to stop, so that they hold the true difference "
                  "somewhat less often than the 95 % that they state (docs/comparing.md).");
  }
  if (seeds < kSeedsForAClaim) {
    all.push_back(std::to_string(seeds) + " final seeds: fewer than the " + std::to_string(kSeedsForAClaim) +
                  " from which on a difference may be claimed.");
  }
  for (const Score& s : scores) {
    const Contestant& c = contestant_of(protocol, s);
    if (c.padded) {
      all.push_back(c.name +
                    " has fewer settings of its own to try; it tried more learning rates instead, so that all had "
                    "the same budget.");
    }
    if (s.extra_rates > 0) {
      all.push_back(c.name + " tried " + counted(s.extra_rates, "learning rate") +
                    " beyond its grid, since the best was at the edge: a larger tuning budget.");
    }
    if (s.lr_at_edge) {
      all.push_back(c.name + " was best at the learning rate " + lr_text(s.chosen.lr) +
                    ", the edge of what was tried: beyond it may be better.");
    }
    if (s.diverged > 0) {
      all.push_back(c.name + " diverged in " + std::to_string(s.diverged) + " of " + std::to_string(seeds) +
                    " final runs; each counts as AP 0.");
    }
  }
  return all;
}

std::string format_scores(const Protocol& protocol, const std::vector<Score>& scores) {
  std::size_t width = 10;
  for (const Score& s : scores) width = std::max(width, contestant_of(protocol, s).name.size());
  std::string text = padded("contestant", width) +
                     "  learning rate  AP            AP50          AP75          grid within 2 AP  diverged\n";
  for (const Score& s : scores) {
    text += padded(contestant_of(protocol, s).name, width) + "  " + padded(lr_text(s.chosen.lr), 13) + "  ";
    for (const std::vector<double>& ap : s.ap) text += padded(mean_and_deviation(ap, " +- "), 12) + "  ";
    text += padded(near_best_text(protocol, s), 16) + "  " + std::to_string(s.diverged) + "\n";
  }
  text += "\n";
  for (const Score& s : scores) {
    text += padded(contestant_of(protocol, s).name + ":", width + 1) + " " + verdict(protocol, s) + "\n";
  }
  for (const std::string& caveat : caveats(protocol, scores)) text += "note: " + caveat + "\n";
  return text;
}

std::string scores_csv(const Protocol& protocol, const std::vector<Score>& scores) {
  CsvText csv({"protocol",
               "contestant",
               "settings",
               "lr",
               "seeds",
               "AP",
               "AP_sd",
               "AP_low",
               "AP_high",
               "AP50",
               "AP50_sd",
               "AP75",
               "AP75_sd",
               "difference",
               "difference_low",
               "difference_high",
               "p_t",
               "p_t_holm",
               "p_wilcoxon",
               "p_wilcoxon_holm",
               "significant",
               "diverged",
               "ECE",
               "best_score",
               "best_F1",
               "near_best",
               "extra_rates",
               "seconds"});
  const std::string hash = protocol_hash(protocol);
  for (const Score& s : scores) {
    const Contestant& c = contestant_of(protocol, s);
    csv << hash << c.name << settings_text(c, s.chosen) << s.chosen.lr << std::ssize(s.ap[0]) << mean(s.ap[0])
        << standard_deviation(s.ap[0]) << s.interval.low << s.interval.high << mean(s.ap[1])
        << standard_deviation(s.ap[1]) << mean(s.ap[2]) << standard_deviation(s.ap[2]);
    if (s.difference) {
      const Difference& d = *s.difference;
      csv << d.mean << d.interval.low << d.interval.high << d.t_test << d.t_test_holm << d.wilcoxon << d.wilcoxon_holm
          << std::int64_t{d.significant};
    } else {
      for (int empty = 0; empty < 8; ++empty) csv << "";
    }
    csv << std::int64_t{s.diverged};
    if (s.scores) {
      csv << s.scores->ece << s.scores->best_score << s.scores->best_f1;
    } else {
      csv << ""
          << ""
          << "";
    }
    if (s.near_best) {
      csv << *s.near_best;
    } else {
      csv << "";
    }
    csv << std::int64_t{s.extra_rates} << s.seconds;
    csv.end_line();
  }
  return csv.text();
}

std::string scores_json(const Protocol& protocol, const std::vector<Score>& scores) {
  ordered_json contestants = ordered_json::array();
  for (const Score& s : scores) {
    const Contestant& c = contestant_of(protocol, s);
    ordered_json one{{"name", c.name}, {"settings", settings_text(c, s.chosen)}, {"lr", s.chosen.lr}};
    for (std::size_t i = 0; i < s.ap.size(); ++i) one[kShownNumbers[i].name] = s.ap[i];
    one["interval"] = interval_json(s.interval);
    one["difference"] = nullptr;
    if (s.difference) {
      const Difference& d = *s.difference;
      one["difference"] = {{"mean", d.mean},
                           {"interval", interval_json(d.interval)},
                           {"p_t", d.t_test},
                           {"p_t_holm", d.t_test_holm},
                           {"p_wilcoxon", d.wilcoxon},
                           {"p_wilcoxon_holm", d.wilcoxon_holm},
                           {"significant", d.significant}};
    }
    one["scores"] = nullptr;
    if (s.scores) {
      one["scores"] = {{"ece", s.scores->ece}, {"best_score", s.scores->best_score}, {"best_f1", s.scores->best_f1}};
    }
    one["near_best"] = s.near_best ? ordered_json(*s.near_best) : ordered_json();
    one["extra_rates"] = s.extra_rates;
    one["lr_at_edge"] = s.lr_at_edge;
    one["diverged"] = s.diverged;
    one["seconds"] = s.seconds;
    contestants.push_back(std::move(one));
  }
  const ordered_json json{{"protocol", protocol_hash(protocol)},
                          {"baseline", baseline_name(protocol)},
                          {"notes", caveats(protocol, scores)},
                          {"contestants", contestants}};
  return json_text(json, 2) + "\n";
}

std::string report_markdown(const Protocol& protocol, const RunResults& results, const std::vector<Score>& scores) {
  std::string text = "# " + protocol.title + "\n\n";
  for (const std::string& line : protocol_lines(protocol)) text += "- " + line + "\n";
  text += "\n## Result\n\n" + std::string(kScoreCaption) + "\n\n" + score_table(protocol, scores).markdown() + "\n";
  for (const Score& s : scores) text += "- " + contestant_of(protocol, s).name + ": " + verdict(protocol, s) + "\n";
  for (const std::string& caveat : caveats(protocol, scores)) text += "- Note: " + caveat + "\n";
  if (scores[0].near_best) {
    text += "\n## Tuning\n\n" + tuning_table(protocol, results, scores).markdown();
  }
  return text + "\n## All runs\n\n" + run_table(protocol, results).markdown();
}

}  // namespace diopter
