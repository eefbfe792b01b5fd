// The last evaluation of a run, as RUN/evaluation.json keeps it for the report: metrics and precision-recall curves.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "data/metrics/operating_point.h"

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
    std::optional<OperatingPoint> best{};  // of largest F1 at IoU .5; nothing, too, in a file from before
  };

  std::int64_t iteration = 0;                  // steps that the weights had behind them
  std::int64_t pictures = 0;                   // that were evaluated; 0 in a file from before they were counted
  std::int64_t unreadable = 0;                 // that the evaluation went without
  CocoNumbers stats{};                         // as in CocoMetrics
  std::array<std::int64_t, kAreas> objects{};  // that count, by area
  std::vector<Category> categories{};
  Curves mean{};  // over the categories that have objects

  std::optional<OperatingPoint> best{};  // one score for all categories together

  /// Two classes that are taken for each other: each object counts as what the detection with the highest score on it
  /// says (confusion_matrix of all detections, most_confused).
  struct Confusion {
    std::string first, second;
    std::int64_t mistaken = 0, found = 0;  // objects of the two taken for the other one; taken for either of them

    bool operator==(const Confusion&) const = default;
  };
  std::optional<Confusion> confusion{};  // nothing, too, in a file from before

  /// One of the worst errors, of which the run folder has a picture (error_crops.h).
  struct Error {
    std::string crop, picture, category;  // file in errors/; names of the picture and of the class
    double score = 0;                     // of a detection; 0 of an object that was missed

    bool operator==(const Error&) const = default;
  };
  std::vector<Error> errors{};
};

/// "3 and 5 are taken for each other in 41 % of cases (57 of 139 objects)"
std::string describe(const RunEvaluation::Confusion& confusion);

/// Without `pictures`, `unreadable`, `confusion` and `errors`.
RunEvaluation run_evaluation(std::int64_t iteration, const CocoMatches& matches, const CocoMetrics& metrics);

std::string evaluation_file(const std::string& folder);
/// Curves are rounded to 1e-4, other numbers are kept in full.
void write_evaluation(const std::string& folder, const RunEvaluation& evaluation);
/// Nothing when there is no such file; throws Error when it holds something else.
std::optional<RunEvaluation> read_evaluation(const std::string& folder);

}  // namespace diopter
