// What the losses of a batch are compared with and divided by.
#pragma once

#include "data/loader.h"
#include "engine/losses.h"
#include "retinanet/config.h"

namespace diopter {

/// The batch's pictures as the network's input.
Variable input_of(const Batch& batch, Device device = Device::cpu);

/// Assigns the anchors to the batch's boxes by the configuration's rule.
AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const Batch& batch, Device device = Device::cpu);

/// What the sum of losses of each image is multiplied by (before the loss weight).
///   image: 1 / (max(1, positives of the image) * images)        torchvision
///   batch: 1 / max(1, positives of the batch)                   the paper
///   ema:   1 / average, average = m average + (1 - m) max(1, positives of the batch)   detectron2
class Normaliser {
 public:
  explicit Normaliser(const Config::Loss& rule) : rule_(rule), average_(rule.ema_start) {}

  /// [images] float, on the device of the targets. Advances the moving average.
  Tensor scale(const AnchorTargets& targets);
  /// Positives of the last batch.
  std::int64_t positives() const { return positives_; }

  double average() const { return average_; }
  void set_average(double average) { average_ = average; }

 private:
  Config::Loss rule_;
  double average_;
  std::int64_t positives_ = 0;
};

struct Losses {
  Variable classification, box;  // weighted, [1]
};

/// Both losses of a batch.
Losses detection_losses(const Config& config, int classes, const Pyramid& logits, const Pyramid& deltas,
                        const AnchorTargets& targets, const Tensor& scale);

}  // namespace diopter
