#include "retinanet/training/lr_range.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/csv_text.h"
#include "retinanet/training/trainer.h"

namespace diopter {

namespace {

constexpr double kMemory = 0.9;           // weight of a step's loss, of that of the next one
constexpr double kDivergence = 4;         // times the least smoothed loss
constexpr std::size_t kLeastPoints = 10;  // before which nothing is said to diverge

}  // namespace

void smooth(std::vector<LrPoint>& points) {
  double sum = 0, weight = 0;
  for (LrPoint& point : points) {
    sum = kMemory * sum + point.loss;
    weight = kMemory * weight + 1;
    point.smoothed = sum / weight;
  }
}

double propose_lr(const std::vector<LrPoint>& points) {
  if (points.empty()) return 0;
  const auto by_loss = [](const LrPoint& a, const LrPoint& b) { return a.smoothed < b.smoothed; };
  return std::min_element(points.begin(), points.end(), by_loss)->lr / 2;
}

LrRange find_lr(const Config& config, const Dataset& train, Device device,
                const std::function<void(std::int64_t)>& progress) {
  Schedule schedule;
  schedule.kind = Schedule::Kind::exponential;
  schedule.base = kLeastLr;
  schedule.gamma = kMostLr / kLeastLr;
  schedule.iterations = kLrSteps - 1;
  LrRange range;
  try {
    Trainer::rehearse(config, train, device, schedule, [&](const StepReport& step) {
      std::vector<LrPoint>& points = range.points;
      points.push_back({step.lr, step.classification_loss + step.box_loss, 0});
      smooth(points);
      if (progress) progress(step.iteration);
      double least = points[0].smoothed;
      for (const LrPoint& point : points) least = std::min(least, point.smoothed);
      range.diverged = points.size() >= kLeastPoints && points.back().smoothed > kDivergence * least;
      return !range.diverged && step.iteration < kLrSteps;
    });
  } catch (const NotFinite&) {
    range.diverged = true;
  }
  range.proposal = propose_lr(range.points);
  return range;
}

std::string lr_range_csv(const LrRange& range) {
  CsvText csv({"lr", "loss", "smoothed"});
  for (const LrPoint& point : range.points) {
    csv << point.lr << point.loss << point.smoothed;
    csv.end_line();
  }
  return csv.text();
}

}  // namespace diopter
