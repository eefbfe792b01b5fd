// The last evaluation of a run, as RUN/evaluation.json keeps it for the report: metrics and precision-recall curves.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"

namespace diopter {

/// Precision over the recalls of kRecallPoints.
using Curve = std::array<double, kRecalls>;

/// At IoU .5 and .75, and the mean over .5:.05:.95.
struct Curves {
  Curve at50{}, at75{}, range{};
};

struct RunEvaluation {
  struct Category {
    std::string name;
    std::int64_t objects = 0;
    CocoNumbers stats;
    Curves curves;
  };

  std::int64_t iteration = 0;                  // steps that the weights had behind them
  std::int64_t pictures = 0;                   // that were evaluated; 0 in a file from before they were counted
  std::int64_t unreadable = 0;                 // that the evaluation went without
  CocoNumbers stats{};                         // as in CocoMetrics
  std::array<std::int64_t, kAreas> objects{};  // that count, by area
  std::vector<Category> categories{};
  Curves mean{};  // over the categories that have objects
};

/// Without `pictures` and `unreadable`.
RunEvaluation run_evaluation(std::int64_t iteration, const CocoMatches& matches, const CocoMetrics& metrics);

std::string evaluation_file(const std::string& folder);
/// Curves are rounded to 1e-4, other numbers are kept in full.
void write_evaluation(const std::string& folder, const RunEvaluation& evaluation);
/// Nothing when there is no such file; throws Error when it holds something else.
std::optional<RunEvaluation> read_evaluation(const std::string& folder);

}  // namespace diopter
