// The network's input: how the loader makes it of pictures, and where pictures and their boxes lie in it.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "engine/tape.h"
#include "retinanet/config/config.h"
#include "retinanet/network/staging.h"

namespace diopter {

/// How pictures are cut into tiles.
TileRule tile_rule(const Config& config);

/// How pictures become the network's input, by the configuration's [input], [augment] and [train]: of training, with
/// all shards. For a GPU they stay bytes, which it normalises and resizes itself.
LoaderOptions loader_options(const Config& config, Device device = Device::cpu);

/// What read_image takes as white. "auto" stands for what a training set says (data/pictures/white.h) and is the full
/// range without one.
int white_of(const Config& config);

/// The batch's pictures on a device: [images, height, width, 3], normalised.
Variable input_of(const Batch& batch, Device device = Device::cpu);

/// The pictures of a batch on their way to `images` [images, height, width, 3] on a device: first arrays() go there,
/// then finish() queues what makes the network's input of them.
class StagedPictures {
 public:
  /// The batch must outlive it.
  StagedPictures(const Batch& batch, const Tensor& images);
  const std::vector<StagedArray>& arrays() const { return arrays_; }
  void finish() const;

 private:
  const Batch& batch_;
  Tensor images_;
  std::vector<StagedArray> arrays_;
};

// Sizes and boxes as the loader makes them without augmentation, from the annotations alone.

/// Size of a picture at the network's input, and with the padding that it gets when it is alone in its batch.
struct InputSize {
  int width, height, padded_width, padded_height;
};

/// Size by the configuration's rule for evaluation (the last of input.min_sizes); with tiles at their scale, of a tile
/// or as if all tiles were put together.
InputSize input_size(const Config& config, int width, int height);

/// A box of a picture of width x height: clipped to it, then scaled.
Box input_box(const Rect& rect, int width, int height, const InputSize& size);

/// Whether the loader keeps a box: at least one pixel wide and high at the input.
inline bool is_kept(const Box& box) { return box.x2 - box.x1 >= 1 && box.y2 - box.y1 >= 1; }

/// The kept boxes of a picture, whose size must be known; crowd and difficult ones have the label kIgnore.
std::vector<TargetBox> input_targets(const ImageRecord& record, const InputSize& size);

}  // namespace diopter
