// What the ranks of a training must have in common.
#pragma once

#include <vector>

#include "data/unreadable_pictures.h"
#include "engine/distributed/communicator.h"
#include "retinanet/training/trainer.h"

namespace diopter {

/// A run that can begin, as a rank has it.
struct RunOfRank {
  const Trainer& trainer;
  const Dataset &training, &validation;
  const std::vector<UnreadablePicture>&unreadable, &unreadable_validation;
};

/// Throws SharedError, which names a rank and what it has otherwise, unless all have the same program, pictures,
/// settings, checkpoint and weights.
void require_same_run(Communicator& ranks, const RunOfRank& run);

}  // namespace diopter
