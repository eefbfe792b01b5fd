// Forecast of the time of a training step on several processes (docs/scaling.md): their work and the network between
// them.
#pragma once

#include <cstdint>

#include "retinanet/config/config.h"

namespace diopter {

/// Between any two processes, in each direction.
struct Network {
  double bits_per_second;
  double latency;  // seconds from one process to the other
};

/// What the processes tell each other in a step, by the calls of Communicator.
struct StepExchanges {
  std::int64_t gathers;  // of short texts, each of two messages one after the other: sizes, then what they are of
  std::int64_t rounds;   // in which gradients pass; once more the weights do
};
/// Of a step that saves nothing and evaluates nothing. One process exchanges nothing.
StepExchanges exchanges_of_step(const Config& config, int ranks);

struct StepForecast {
  int ranks;
  double work;         // seconds: of the process with the most shards
  double transfer;     // seconds in which gradients and weights pass and nothing is computed
  double waiting;      // seconds in which nothing passes, either: latencies
  std::int64_t bytes;  // that each process sends
  double total() const { return work + transfer + waiting; }
};

/// `shard_seconds`: of one shard's forward and backward pass; `gradients`: floats. The network takes all that a process
/// sends at its full rate; a long message costs three latencies, since it is announced and asked for, a short one one.
/// All buckets of gradients but one (FlatSlices::kBuckets) pass during the backward pass, two thirds of the work, as
/// far as that is long enough. The processors' own time for messages does not count. Throws Error where there are more
/// processes than train.shards, or none.
StepForecast forecast_step(const Config& config, double shard_seconds, std::int64_t gradients, int ranks,
                           const Network& network);

}  // namespace diopter
