// Where pictures and their boxes lie in the network's input, from the annotations alone: what the loader does without
// augmentation, but without pixels.
#pragma once

#include <vector>

#include "data/pictures/augment.h"
#include "data/dataset.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Size of a picture at the network's input, and with the padding that it gets when it is alone in its batch.
struct InputSize {
  int width, height, padded_width, padded_height;
};

/// Size by the configuration's rule for evaluation (the last of input.min_sizes).
InputSize input_size(const Config& config, int width, int height);

/// A box of a picture of width x height: clipped to it, then scaled.
Box input_box(const Rect& rect, int width, int height, const InputSize& size);

/// Whether the loader keeps a box: at least one pixel wide and high at the input.
inline bool is_kept(const Box& box) { return box.x2 - box.x1 >= 1 && box.y2 - box.y1 >= 1; }

/// The kept boxes of a picture, whose size must be known; crowd and difficult ones have the label kIgnore.
std::vector<TargetBox> input_targets(const ImageRecord& record, const InputSize& size);

}  // namespace diopter
