#include "retinanet/doctor/ranks_forecast.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/detection/loss_list.h"

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
  constexpr std::int64_t kOfStep = 2;  // whether to save, warnings
  const std::int64_t batches = config.train.accumulate;
  return {kOfStep + batches * (1 + of_batch), batches * rounds(config, ranks)};  // 1: before each, whether to stop
}

StepForecast forecast_step(const Config& config, double shard_seconds, std::int64_t gradients, int ranks,
                           const Network& network) {
  DIOPTER_CHECK(ranks >= 1 && ranks <= config.train.shards, ranks,
                " processes for train.shards = ", config.train.shards, ": each needs a shard of its own");
  StepForecast forecast{};
  forecast.work = static_cast<double>(config.train.accumulate * rounds(config, ranks)) * shard_seconds;
  if (ranks == 1) return forecast;
  const StepExchanges exchanges = exchanges_of_step(config, ranks);
  const std::int64_t long_messages = exchanges.all_to_alls + 1;
  const std::int64_t to_others = gradients * std::int64_t{sizeof(float)} * (ranks - 1) / ranks;
  forecast.bytes = long_messages * to_others;
  forecast.transfer = 8 * static_cast<double>(forecast.bytes) / network.bits_per_second;
  forecast.waiting = static_cast<double>(2 * exchanges.gathers + 3 * long_messages) * network.latency;
  return forecast;
}

}  // namespace diopter
