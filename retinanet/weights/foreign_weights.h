// Checkpoints of other programs: which network they are of, and their tensors under the names used here.
// docs/weights.md says what is recognised.
#pragma once

#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Facts about a checkpoint that follow from the names and shapes of its tensors.
struct ForeignWeights {
  std::string kind;                // "torchvision RetinaNet", "Detectron2 ResNet", ...
  Config config;                   // the preset that fits, with the network that the tensors describe
  int outputs = 0;                 // of the classification layer for an anchor; 0: it has none
  bool labels_are_ids = false;     // an output's number is the category id (torchvision); otherwise they are contiguous
  std::vector<std::string> notes;  // decisions that the file itself does not make, one line each
};

/// Recognises a checkpoint and gives its tensors the names used here; those that no detector here needs (an ImageNet
/// classifier, constants) are dropped, with a note. Throws Error naming the first tensor when it is of no known
/// network. Whether every tensor is there and has the right shape is only seen when they are loaded.
ForeignWeights recognise(Checkpoint& checkpoint);

/// Whether a tensor, under the names used here, belongs to the backbone.
bool is_of_backbone(const std::string& name);

}  // namespace diopter
