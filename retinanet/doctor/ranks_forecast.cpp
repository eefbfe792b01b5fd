#include "retinanet/doctor/ranks_forecast.h"

#include <algorithm>

#include "engine/flat_slices.h"
#include "kernels/base/check.h"
#include "kernels/detection/any_loss.h"

namespace diopter {

namespace {

std::int64_t rounds(const Config& config, int ranks) { return (config.train.shards + ranks - 1) / ranks; }

}  // namespace

StepExchanges exchanges_of_step(const Config& config, int ranks) {
  if (ranks == 1) return {};
  std::int64_t of_batch = 1 + rounds(config, ranks);  // positives; the losses of each round
  if (hard_example_rule(config.loss.kind)) ++of_batch;
  if (gradient_density_rule(config.loss.kind)) ++of_batch;
  if (config.loss.classification_weight == kGuidedWeight) of_batch += 2;
  constexpr std::int64_t kOfStep = 3;  // norm of the gradients, whether to save, warnings
  const std::int64_t batches = config.train.accumulate;
  return {kOfStep + batches * (1 + of_batch), batches * rounds(config, ranks)};  // 1: before each, whether to stop
}

StepForecast forecast_step(const Config& config, double shard_seconds, std::int64_t gradients, int ranks,
                           const Network& network) {
  DIOPTER_CHECK(ranks >= 1 && ranks <= config.train.shards, ranks,
                " processes for train.shards = ", config.train.shards, ": each needs a shard of its own");
  StepForecast forecast{};
  forecast.ranks = ranks;
  forecast.work = static_cast<double>(config.train.accumulate * rounds(config, ranks)) * shard_seconds;
  if (ranks == 1) return forecast;
  const StepExchanges exchanges = exchanges_of_step(config, ranks);
  const auto to_others = [&](DType type) {
    return gradients * static_cast<std::int64_t>(size_of(type)) * (ranks - 1) / ranks;
  };
  const auto seconds = [&](std::int64_t bytes) { return 8 * static_cast<double>(bytes) / network.bits_per_second; };
  const std::int64_t of_round = to_others(config.train.wire), weights = to_others(DType::f32);
  forecast.bytes = exchanges.rounds * of_round + weights;
  constexpr double kBackward = 2.0 / 3, kEarly = 1 - 1.0 / FlatSlices::kBuckets;
  const double hidden = std::min(kEarly * seconds(of_round), kBackward * shard_seconds);
  forecast.transfer = seconds(forecast.bytes) - static_cast<double>(exchanges.rounds) * hidden;
  forecast.waiting = static_cast<double>(2 * exchanges.gathers + 3 * (exchanges.rounds + 1)) * network.latency;
  return forecast;
}

}  // namespace diopter
