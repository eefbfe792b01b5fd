// SGD and AdamW over all parameters of a model, and the exponential moving average of its weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/flat_slices.h"
#include "engine/module.h"

namespace diopter {

/// Parameters that share a weight decay.
struct ParameterGroup {
  std::vector<NamedParameter> parameters;
  float weight_decay = 0;
};

/// Weight decay by what a parameter is.
struct WeightDecay {
  float weights = 0;
  float norms = 0;   // gamma and beta
  float biases = 0;  // of convolutions
};

/// A group for the weights, one for the norms and one for the biases. A norm is a "weight" of rank 1 with the "bias" of
/// the same module. Parameters that require no gradient are left out.
std::vector<ParameterGroup> group_by_decay(const std::vector<NamedParameter>& parameters, const WeightDecay& decay);

/// What moves the parameters of a model against their gradients. Gradients, and what an optimizer keeps of each
/// parameter, lie in one flat buffer each, at fixed addresses; constructing the optimizer moves the parameters'
/// gradients there. A step writes the bf16 copies that parameters have by then, too. Nothing here waits for the device.
///
/// Ranks that train together divide the work: each keeps numbers for the weights that it owns (FlatSlices) and updates
/// these; what they then give each other passes through a flat tensor on the host.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  void zero_gradients();
  /// One update; gradients are multiplied by `factor` first (1 / number of batches they are the sum of), then clipped.
  /// Where the gradients or one of `losses` (floats, or undefined) is not finite, neither this step nor a later one
  /// changes anything. Steps are counted from 1.
  void step(float lr, float factor = 1, const Tensor& losses = {});
  /// The two halves of step: what changes from step to step goes to the device, the learning rate and what follows from
  /// the step's number (1, 2, ...), and the update reads it there. The update does the same work each time and can be
  /// recorded.
  virtual void set_lr(float lr, std::int64_t number) = 0;
  void update(float factor = 1, const Tensor& losses = {});
  /// The same with the squared norm of all gradients, of which those that this rank owns suffice, for the weights that
  /// it owns.
  void update_owned(float squared_norm, float factor = 1, const Tensor& losses = {});
  /// Writes the weights that this rank owns to their places in `flat` [size], on the host.
  void put_owned_weights(const Tensor& flat) const;
  /// Takes all weights from their places in `flat`, and renews bf16 copies.
  void take_weights(const Tensor& flat) const;
  /// [1], Euclidean norm of all gradients of the last step, after `factor` and before clipping.
  Tensor gradient_norm() const { return norm_; }

  /// [size]: the gradients of all parameters, and some zeros between them.
  const Tensor& gradients() const { return gradients_; }
  /// Who owns which part of the flat buffers.
  const FlatSlices& slices() const { return slices_; }
  /// What it keeps, a tensor [size] for each kind of number. A single rank's own; else on the host, with zeros in place
  /// of what the other ranks keep.
  std::vector<Tensor> whole_state() const;
  /// Parts of such tensors in the shapes of the parameters, for checkpoints: "velocity.NAME", ...
  std::vector<NamedBuffer> named(const std::vector<Tensor>& whole) const;
  /// Takes what this rank keeps from such tensors.
  void take_state(const std::vector<Tensor>& whole);
  /// Of a single rank.
  std::vector<NamedBuffer> state() const { return named(whole_state()); }
  std::int64_t parameter_count() const { return parameter_count_; }

 protected:
  /// clip_norm: gradients are scaled down to this Euclidean norm; 0: they are not. `kinds`: of what is kept.
  Optimizer(const std::vector<ParameterGroup>& groups, float clip_norm, const std::vector<std::string>& kinds,
            const FlatOwner& owner);

  virtual void move() = 0;
  /// A table for a kernel, on the device: a segment for each piece of a parameter that this rank owns. `keep` gets the
  /// segment and where its part of each kind begins. Sets chunks_.
  template <class Segment, class Keep>
  Tensor table_of(const Keep& keep);

  std::int64_t chunks_ = 0, segment_values_ = 0;  // of the table
  int segment_count_ = 0;
  Tensor gradient_scale_, skip_;  // [1]

 private:
  struct Part {
    NamedParameter parameter;
    float weight_decay;
    FlatRange place;  // in the flat buffers
  };
  /// What this rank owns of a part.
  struct Piece {
    const Part* part;
    FlatRange place;
    std::int64_t kept;  // where it begins in what is kept
  };
  void find_pieces();
  void control_and_move(float factor, const Tensor& losses);

  float clip_norm_;
  std::int64_t parameter_count_ = 0, steps_ = 0;
  std::vector<std::string> kinds_;
  std::vector<Part> parts_;
  FlatSlices slices_;
  std::vector<Piece> pieces_;
  Tensor gradients_;            // flat
  std::vector<Tensor> kept_;    // [owned], one slice after another, by kind
  Tensor squared_norm_, norm_;  // [1]
};

/// SGD with momentum (kernels/nn/sgd.h); keeps "velocity".
class Sgd final : public Optimizer {
 public:
  struct Options {
    float momentum = 0.9f;
    bool nesterov = false;
    float clip_norm = 0;  // gradients are scaled down to this Euclidean norm; 0: they are not
  };
  Sgd(const std::vector<ParameterGroup>& groups, const Options& options, const FlatOwner& owner = {});

  void set_lr(float lr, std::int64_t number) override;

 private:
  void move() override;

  Options options_;
  Tensor segments_;  // SgdSegment table as bytes
  Tensor lr_;        // [1]
};

/// Adam with decoupled weight decay (kernels/nn/adamw.h); keeps "mean" and "square", the moving averages of the
/// gradient and of its square.
class AdamW final : public Optimizer {
 public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    float epsilon = 1e-8f;
    float clip_norm = 0;
  };
  AdamW(const std::vector<ParameterGroup>& groups, const Options& options, const FlatOwner& owner = {});

  void set_lr(float lr, std::int64_t number) override;

 private:
  void move() override;

  Options options_;
  Tensor segments_;  // AdamwSegment table as bytes
  Tensor rates_;     // [3]: learning rate, 1 - beta1^t, 1 - beta2^t
};

/// average = average + (1 - decay) (weight - average) after each step; the decay grows with the number of updates, so
/// that early averages are not dominated by the start: min(decay, (1 + updates) / (10 + updates)).
class WeightAverage {
 public:
  WeightAverage(const Module& model, float decay);

  void update();
  /// The two halves of update: the next update's weight goes to the device, and the averages move by it. The second
  /// half does the same work each time and can be recorded.
  void advance();
  void move_averages();
  /// Exchanges the model's weights with the averages, and renews bf16 copies: call before and after an evaluation.
  void swap();

  /// The averages by parameter name, and the number of updates, for checkpoints.
  std::vector<NamedBuffer> averages() const { return averages_; }
  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  float decay_;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedBuffer> averages_;
  std::int64_t updates_ = 0;
  Tensor weight_;  // [1]: of the values, in the update under way
};

}  // namespace diopter
