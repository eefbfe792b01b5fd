// State of a training run beside its tensors, kept in the checkpoint's metadata.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "retinanet/config/config.h"

namespace diopter {

/// A setting that was changed when a run was resumed.
struct SettingChange {
  std::int64_t iteration;          // steps done before it
  std::string key, before, after;  // values as they are written

  bool operator==(const SettingChange&) const = default;
};

struct RunState {
  Config config;
  std::vector<std::string> classes;
  std::vector<std::int64_t> category_ids;  // of the classes, in the training annotations
  std::int64_t iteration = 0;              // steps done; with the seed it gives data order and all random numbers
  double normaliser = 0;                   // moving average of the positives (loss.normaliser = ema)
  double best_ap = -1;                     // best AP so far
  std::int64_t average_updates = 0;        // of the weights' moving average; 0: there is none
  std::int64_t evaluated = 0;              // steps that the weights of the last evaluation had behind them; 0: none
  std::int64_t stale = 0;                  // evaluations in a row without a better AP (train.patience)
  std::int64_t left_out = 0;               // steps of the schedule that train.patience has left out so far
  std::vector<double> thresholds;          // scores of largest F1 in that evaluation, by class (best_scores); or none
  std::string data, validation_data;       // hashes of both sets (data/dataset_hash.h); "": none, or not known
  std::vector<SettingChange> changes;      // of the configuration, oldest first
  /// What the loss remembers of steps, by the names of kLossMemories (retinanet/detection/targets.h).
  std::map<std::string, std::vector<float>> loss_memory{};
};

/// Version of what put_run_state writes (docs/weights.md). It goes up when an older program would misread a file, not
/// for a further key of the configuration or of the metadata.
inline constexpr int kCheckpointFormat = 1;

/// Whether the metadata say that Diopter wrote the file, in whatever format.
bool is_diopter_checkpoint(const Checkpoint& checkpoint);

/// Reads the state. Keys that the configuration lacks have the values from before they existed. Throws Error when
/// Diopter did not write the checkpoint, when a newer Diopter wrote it, in a later format or with a key that is not
/// known here, or when a value of its configuration is out of range.
RunState parse_run_state(const Checkpoint& checkpoint);
void put_run_state(Checkpoint& checkpoint, const RunState& state);

}  // namespace diopter
