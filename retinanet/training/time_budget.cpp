#include "retinanet/training/time_budget.h"

#include <chrono>
#include <cmath>
#include <vector>

#include "data/spread_sample.h"
#include "kernels/base/check.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/trainer.h"

namespace diopter {

namespace {

using BudgetClock = std::chrono::steady_clock;

double seconds_since(BudgetClock::time_point start) {
  return std::chrono::duration<double>(BudgetClock::now() - start).count();
}

double step_seconds(const Config& config, const Dataset& train, Device device, double seconds) {
  constexpr int kFirst = 2, kLeast = 5;  // steps that do not count, and that do
  BudgetClock::time_point start = BudgetClock::now();
  int steps = -kFirst;
  Schedule schedule;
  schedule.kind = Schedule::Kind::constant;
  schedule.base = 0;  // weights that stay as they are cannot diverge
  Trainer::rehearse(config, train, device, schedule, [&](const StepReport&) {
    if (++steps == 0) start = BudgetClock::now();
    return steps < kLeast || seconds_since(start) < seconds;
  });
  return seconds_since(start) / steps;
}

double evaluation_seconds(const Config& config, const Dataset& validation, Device device) {
  constexpr std::int64_t kBatches = 4;
  Dataset sample = spread_sample(validation, kBatches * config.detect.batch_size);
  RetinaNet model(config, static_cast<int>(validation.categories.size()));
  model.move_to(device);
  model.set_precision(config.detect.precision);
  model.set_training(false);
  std::vector<std::int64_t> ids;
  for (const Category& category : validation.categories) ids.push_back(category.id);
  std::vector<UnreadablePicture> skipped;
  const auto start = BudgetClock::now();
  detect_all(model, sample, ids, {}, &skipped);
  return seconds_since(start) * static_cast<double>(validation.images.size()) /
         static_cast<double>(sample.images.size());
}

}  // namespace

std::int64_t evaluations_of(const RunTimes& times, std::int64_t iterations) {
  if (times.evaluation <= 0 || iterations <= 0) return 0;
  return times.every > 0 ? (iterations + times.every - 1) / times.every : 1;
}

std::int64_t iterations_within(const RunTimes& times, double seconds) {
  DIOPTER_CHECK(times.step > 0, "a step takes no time");
  const auto cost = [&](std::int64_t iterations) {
    return static_cast<double>(iterations) * times.step +
           static_cast<double>(evaluations_of(times, iterations)) * times.evaluation;
  };
  std::int64_t fits = 0, too_many = static_cast<std::int64_t>(std::max(seconds, 0.0) / times.step) + 1;
  while (too_many - fits > 1) {
    const std::int64_t middle = fits + (too_many - fits) / 2;
    (cost(middle) <= seconds ? fits : too_many) = middle;
  }
  return fits;
}

RunTimes measure_times(const Config& config, const Dataset& train, const Dataset& validation, Device device,
                       double seconds) {
  RunTimes times;
  times.every = config.train.evaluate_every;
  times.step = step_seconds(config, train, device, seconds);
  if (!validation.images.empty()) times.evaluation = evaluation_seconds(config, validation, device);
  return times;
}

}  // namespace diopter
