// Targets of a batch, and the normaliser of its losses.
#pragma once

#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "data/loader.h"
#include "kernels/detection/loss_scale.h"
#include "kernels/detection/weighting/class_focusing.h"
#include "kernels/detection/weighting/gradient_density.h"
#include "retinanet/config/config.h"
#include "retinanet/detection/class_weights.h"
#include "retinanet/detection/hard_examples.h"

namespace diopter {

/// A batch's boxes on a device: [total, 4] f32, [total] i32, [images + 1] i32.
struct TruthTensors {
  Tensor boxes, labels, offsets;
};

/// Assigns the anchors to the batch's boxes by the configuration's rule.
AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const TruthTensors& truth);
AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const Batch& batch,
                           Device device = Device::cpu);

/// Factor of the sum of losses of each image, before the loss weight (kernels/detection/loss_scale.h).
/// Everything stays on the device.
class Normaliser {
 public:
  explicit Normaliser(const Config::Loss& rule, Device device = Device::cpu);

  /// [images] float. Advances the moving average.
  Tensor scale(const AnchorTargets& targets) { return scale(targets.positives); }
  /// The same from the positives of each image of the batch, [images] i32.
  Tensor scale(const Tensor& positives);
  /// [1] float: positives of the last batch.
  Tensor positives() const { return positives_; }

  double average() const { return static_cast<double>(average_.item()); }
  /// [1] float: the average, where the next batch changes it.
  const Tensor& average_tensor() const { return average_; }
  void set_average(double average);

 private:
  LossNormaliser rule_;
  float momentum_;
  Tensor average_, positives_;
};

/// Names of what a loss remembers of steps, also in checkpoints.
inline constexpr const char* kLossMemories[] = {"densities", "class_gradients"};

/// What the classification loss keeps in a device's memory from step to step.
struct LossState {
  Tensor class_weights = {};     // [classes] float; undefined with loss.class_weights = none
  Tensor density_averages = {};  // [bins] float, of a loss that weighs by density, else undefined: DensityWeightsArgs
  Tensor class_gradients = {};   // [2, classes] float, of one that focuses by class, else undefined: ClassFocusingArgs

  LossState() = default;
  /// Of a run that begins. Throws Error where loss.class_weights still is a rule, or has not one number per class.
  LossState(const Config::Loss& loss, int classes, Device device = Device::cpu);

  /// What there is of the last two, by name.
  std::map<std::string, std::vector<float>> memory() const;
  /// Goes on from it. What is of another size, as with another number of bins, begins anew.
  void set_memory(const std::map<std::string, std::vector<float>>& memory);
  /// Calls f(name, tensor) for each.
  template <class F>
  void for_each_memory(const F& f) const {
    const Tensor* const memories[] = {&density_averages, &class_gradients};
    for (std::size_t i = 0; i < std::size(memories); ++i) {
      if (memories[i]->defined()) f(kLossMemories[i], *memories[i]);
    }
  }
};

/// What a shard's losses depend on that the whole batch decides, where a batch has more than one shard. Undefined where
/// the loss does not ask for it.
struct WholeBatch {
  Tensor selected_scale;         // [images of the shard] float: factor of each where the loss selects hard examples
  Tensor classification_weight;  // [1], with loss.classification_weight = guided: of the batch
  Tensor density_weights;        // [bins] float, of a loss that weighs by density
  Tensor class_focusing;         // [classes] float, of a loss that focuses by class
};

/// Labels that the classification loss is computed on, and its factor per image.
struct ClassificationTargets {
  AnchorTargets anchors;
  Tensor scale;  // [images]
};

/// The targets and the scale as they are. For a loss that selects hard examples, those anchors only and one over their
/// number (scale_of_selected). For one that weighs by density, whose weights normalise it, the scale 1.
ClassificationTargets classification_targets(const Config& config, int classes, const Pyramid& logits,
                                             const Pyramid& deltas, const AnchorTargets& targets, const Tensor& scale,
                                             const LossState& state = {}, const WholeBatch& whole = {});

/// [images] float: one over the number of the batch's selected anchors, `selected` [images] i32: over all images or,
/// with loss.normaliser = image, image by image.
Tensor scale_of_selected(LossNormaliser normaliser, const Tensor& selected);

/// [bins] i32: logits by the size of their gradients, of a loss that weighs by density, else undefined:
/// GradientHistogramArgs.
Tensor gradient_counts(const AnyLoss& loss, const Pyramid& logits, int classes, const AnchorTargets& targets);

/// [bins] float: weights of a batch's logits from its counts, [bins] i32, by the density of their gradients
/// (kernels/detection/weighting/gradient_density.h). Advances the averages. Undefined for a loss that does not weigh by
/// density.
Tensor density_weights(const AnyLoss& loss, const Tensor& counts, const Tensor& averages);

/// [classes] float: what the exponents of classes are larger by, from LossState::class_gradients
/// (kernels/detection/weighting/class_focusing.h). Undefined for a loss that does not focus by class.
Tensor class_focusing(const AnyLoss& loss, const Tensor& class_gradients);

/// [1]: guided_scale (kernels/detection/loss_scale.h) of a batch's losses, [1] each.
Tensor guided_weight(const Tensor& classification, const Tensor& box);

struct Losses {
  Variable classification, box;  // weighted, [1]
  Tensor classification_weight;  // [1], with loss.classification_weight = guided: the factor of the classification loss
  Tensor qualities;              // [images, anchors], of losses with soft targets: those of the positives
  Tensor class_gradients;        // [2, classes], of losses that focus by class, where gradients are recorded:
                                 // to be added to the state's
};

/// Both losses of a batch, or of a shard of it. Advances the state's averages, unless the whole batch did. Throws Error
/// where the state is not the configuration's.
Losses detection_losses(const Config& config, int classes, const Pyramid& logits, const Pyramid& deltas,
                        const AnchorTargets& targets, const Tensor& scale, const LossState& state = {},
                        const WholeBatch& whole = {});

}  // namespace diopter
