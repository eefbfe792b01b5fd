// What a training checkpoint says besides its tensors; kept in the file's metadata.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "retinanet/config/config.h"

namespace diopter {

struct RunState {
  Config config;
  std::vector<std::string> classes;
  std::vector<std::int64_t> category_ids;  // of the classes, in the training annotations
  std::int64_t iteration = 0;        // steps done; with the seed it gives data order and all random numbers
  double normaliser = 0;             // moving average of the positives (loss.normaliser = ema)
  double best_ap = -1;               // best AP so far
  std::int64_t average_updates = 0;  // of the weights' moving average; 0: there is none
};

/// Reads the state; throws Error when the checkpoint was not written by diopter train.
RunState parse_run_state(const Checkpoint& checkpoint);
void put_run_state(Checkpoint& checkpoint, const RunState& state);

}  // namespace diopter
