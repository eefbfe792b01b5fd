// SGD and AdamW over all parameters of a model, and the exponential moving average of its weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
  /// [1], Euclidean norm of all gradients of the last step, after `factor` and before clipping.
  Tensor gradient_norm() const { return norm_; }

  /// [size]: the gradients of all parameters, and some zeros between them.
  const Tensor& gradients() const { return gradients_; }
  /// What it keeps of each parameter, in the parameter's shape, for checkpoints: "velocity.NAME", ...
  const std::vector<NamedBuffer>& state() const { return state_; }
  std::int64_t parameter_count() const { return parameter_count_; }

 protected:
  /// A parameter with its part of the flat buffers.
  struct Part {
    NamedParameter parameter;
    float weight_decay;
    Tensor gradient;
    std::vector<Tensor> kept;  // in the order of `kinds`
  };

  /// clip_norm: gradients are scaled down to this Euclidean norm; 0: they are not. `kinds`: of state().
  Optimizer(const std::vector<ParameterGroup>& groups, float clip_norm, const std::vector<std::string>& kinds);

  virtual void move() = 0;
  /// A table of parts for a kernel, on the device; sets chunks_.
  template <class Segment, class MakeSegment>
  Tensor table_of(const MakeSegment& make);

  std::vector<Part> parts_;
  std::int64_t chunks_ = 0;
  Tensor gradient_scale_, skip_;  // [1]

 private:
  float clip_norm_;
  std::int64_t parameter_count_ = 0, steps_ = 0;
  Tensor gradients_;  // flat
  std::vector<NamedBuffer> state_;
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
  Sgd(const std::vector<ParameterGroup>& groups, const Options& options);

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
  AdamW(const std::vector<ParameterGroup>& groups, const Options& options);

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
