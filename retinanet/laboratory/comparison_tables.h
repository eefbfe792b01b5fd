// The tables of a study's report, as text that report.md and report.html share; `x` in it stands for code.
#pragma once

#include <string>
#include <vector>

#include "retinanet/laboratory/comparison.h"

namespace diopter {

struct TextTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  std::string markdown() const;
};

inline constexpr const char* kScoreCaption =
    "Mean ± standard deviation over the final seeds, in percent; differences are paired over the seeds.";

/// The rules that the protocol fixed, one line each.
std::vector<std::string> protocol_lines(const Protocol& protocol);

TextTable score_table(const Protocol& protocol, const std::vector<Score>& scores);
/// No rows where nothing was tuned.
TextTable tuning_table(const Protocol& protocol, const RunResults& results, const std::vector<Score>& scores);
TextTable run_table(const Protocol& protocol, const RunResults& results);

}  // namespace diopter
