// Detections of a batch, and their way to the other ranks of an evaluation.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "data/pictures/augment.h"
#include "data/unreadable_pictures.h"
#include "engine/distributed/communicator.h"

namespace diopter {

/// What was found in the views of a batch.
struct FoundInViews {
  std::vector<PictureView> views;
  std::vector<std::vector<DetectedBox>> found;  // by view
};

/// What each rank found, by rank.
std::vector<FoundInViews> gather_found(Communicator& ranks, FoundInViews mine);

/// The pictures that some rank skipped, in the order of the set, each once.
std::vector<UnreadablePicture> gather_skipped(Communicator& ranks, std::vector<UnreadablePicture> mine);

}  // namespace diopter
