// Dry run of training: the loss of the untrained model and the memory of a step, measured.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "kernels/base/process.h"
#include "retinanet/config/config.h"
#include "retinanet/detection/losses.h"

namespace diopter {

/// Classification loss of a batch, weighted and normalised as in training, when every logit is that of model.prior.
/// Targets and scale: from classification_targets. qualities: of a loss with soft targets (Losses), else undefined.
double expected_classification_loss(const Config& config, int classes, const AnchorTargets& targets,
                                    const Tensor& scale, const Tensor& qualities = {});

struct InitialLoss {
  double expected = 0, measured = 0;  // of classification
  double box = 0;                     // measured
  int pictures = 0;
};

/// Runs the network, initialised as for training, on up to 8 pictures, fewer when they are large. Pictures are decoded,
/// or blank (of the mean colour) when `open` is false. All must have sizes.
InitialLoss initial_loss(Config config, const Dataset& dataset, bool open);

/// Memory of tensors in a training step, in bytes: parameters, gradients, what the optimizer keeps, activations and
/// their gradients.
struct StepMemory {
  std::int64_t parameters = 0;  // how many
  std::int64_t fixed = 0;       // whatever the batch: weights, optimizer, work space of all threads
  double per_pixel = 0;         // of the padded input, all pictures of the batch together
  int width = 0, height = 0;    // of the largest padded batch that the set can give
  std::int64_t predicted = 0;   // peak of a step with train.batch_size such pictures
  std::int64_t loader = 0;      // at most, beside the tensors: batches made ahead and decoded pictures kept
};

/// Measures steps with two and with four pictures of limited size and extrapolates linearly. `decoded_bytes`: of all
/// pictures of the set. The steps are computed; or, in no time, only their shapes are, which leaves out work space.
enum class DryRun { computed, shapes_only };
StepMemory step_memory(const Config& config, const Dataset& dataset, std::int64_t decoded_bytes,
                       DryRun kind = DryRun::computed);

/// Throws Error that names the settings where a training step on the CPU, with the batches that are loaded ahead,
/// surely needs more memory than there is. Pictures whose size the annotations do not tell are not counted.
void check_memory(const Config& config, const Dataset& dataset, const AvailableMemory& available);

}  // namespace diopter
