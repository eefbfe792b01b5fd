// Modules: trees of layers with named parameters and buffers, and the layers that detectors are made of.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "engine/norm_kind.h"
#include "engine/ops.h"

namespace diopter {

/// A parameter is learned; its Variable is shared with the module.
struct NamedParameter {
  std::string name;  // "backbone.body.layer1.0.conv1.weight"
  Variable variable;
};

/// A buffer is saved with the model but not learned (running statistics).
struct NamedBuffer {
  std::string name;
  Tensor tensor;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// All parameters and buffers below this module, in order of registration, names joined with dots.
  std::vector<NamedParameter> parameters() const;
  std::vector<NamedBuffer> buffers() const;

  /// Gives each parameter's Variable its full name, for messages. Call on the root once it is built.
  void name_parameters();

  /// Moves parameters and buffers. Before an optimizer or a weight average is made of them.
  void move_to(Device device);

  /// Makes or renews the bf16 copies of the weights of convolutions. Before an optimizer is made of them, and after
  /// their values were read from a file.
  void write_bf16_copies() const;

  /// Has frozen norms keep scale and shift of their map instead of computing them on every call. After their values
  /// were read from a file, and again whenever they are read anew.
  void fold_frozen_norms() const;

  /// Training or evaluation: decides which statistics batch norms use.
  void set_training(bool training);
  bool training() const { return training_; }

  /// No gradients for the parameters below this module; batch norms below it use their running statistics.
  void freeze();
  bool frozen() const { return frozen_; }

 protected:
  /// Registers under `name`; the Variable returned shares its value with the registered one.
  Variable add_parameter(const std::string& name, const Tensor& value);
  Tensor add_buffer(const std::string& name, const Tensor& value);
  /// `child` must live as long as this module (a member).
  void add_module(const std::string& name, Module& child);

 private:
  /// Keeps what follows from values that are frozen.
  virtual void fold_frozen() const {}
  void visit(const std::string& prefix, const std::function<void(const std::string&, const Module&)>& f) const;

  struct Child {
    std::string name;
    Module* module;
  };
  std::vector<NamedParameter> parameters_;
  std::vector<NamedBuffer> buffers_;
  std::vector<Child> children_;
  bool training_ = true;
  bool frozen_ = false;
};

/// How a weight tensor [out, k, k, in] starts; fan_in = k k in, fan_out = k k out.
struct Init {
  enum class Kind { normal, kaiming_uniform, kaiming_normal_fan_out } kind = Kind::normal;
  float value = 0.01f;  // normal: standard deviation; kaiming_uniform: the slope a

  static Init normal(float std) { return {Kind::normal, std}; }
  /// U(-b, b), b = sqrt(6 / ((1 + a^2) fan_in))  (He et al. 2015)
  static Init kaiming_uniform(float a) { return {Kind::kaiming_uniform, a}; }
  /// N(0, 2 / fan_out)
  static Init kaiming_normal_fan_out() { return {Kind::kaiming_normal_fan_out, 0}; }
};

/// Whether a new model's weights are drawn, or left without values because a checkpoint with all of them follows:
/// drawing takes longer than reading.
enum class InitialWeights { random, unset };

/// Numbers for initialising one parameter after another: each gets a Philox stream of its own.
class InitRandom {
 public:
  /// `most`: weights that all of them together may have.
  explicit InitRandom(std::uint64_t seed, InitialWeights weights = InitialWeights::random, double most = INFINITY)
      : seed_(seed), weights_(weights), most_(most) {}
  /// Throws Error when there would be more weights than `most`, before memory is taken for them.
  Tensor draw(const Shape& shape, const Init& init);

 private:
  std::uint64_t seed_, stream_ = 0;
  InitialWeights weights_;
  double most_, drawn_ = 0;
};

/// Convolution with weights [out, k, k, in] ("weight") and, when wanted, a bias ("bias") that starts at a constant.
class Conv2d : public Module {
 public:
  struct Options {
    int kernel = 3, stride = 1;
    int padding = -1;  // -1: kernel / 2
    bool bias = true;
    Init init = {};
    std::vector<float> bias_values = {0};  // repeated: of channel c, element c mod size
    bool float_output = false;             // also where the input is bf16
  };
  Conv2d(int in, int out, const Options& options, InitRandom& random);

  Variable operator()(const Variable& x) const { return conv2d(x, weight_, params_); }
  Pyramid operator()(const Pyramid& x) const { return conv2d(x, weight_, params_); }
  /// relu(conv(x))
  Variable relu(const Variable& x) const;
  Pyramid relu(const Pyramid& x) const;
  /// relu?(conv(x) scale + shift + residual): a frozen norm and the rest of a residual block in the same pass.
  Variable fused(const Variable& x, const Tensor& scale, const Tensor& shift, const Variable& residual,
                 bool relu) const;

 private:
  Conv2dParams params_;
  Variable weight_;
};

/// Batch or group normalisation with torchvision's names ("weight", "bias", "running_mean", "running_var").
class Norm : public Module {
 public:
  /// groups: for NormKind::group. zero_gamma starts gamma at 0 (the last norm of a residual block).
  Norm(NormKind kind, int channels, int groups = 32, bool zero_gamma = false, float eps = 1e-5f);

  Variable operator()(const Variable& x) const;
  Pyramid operator()(const Pyramid& x) const;
  /// relu(norm(x)), in one pass where it is a group norm.
  Variable relu(const Variable& x) const;
  Pyramid relu(const Pyramid& x) const;
  /// Whether it is a fixed affine map now (a batch norm that is frozen or evaluated): then it can be fused.
  bool fixed() const;
  /// The fixed map y = x scale + shift, [channels] each.
  struct Affine {
    Tensor scale, shift;
  };
  Affine affine() const;

 private:
  void fold_frozen() const override;
  Affine fold() const;

  NormKind kind_;
  int channels_, groups_;
  float eps_;
  Variable gamma_, beta_;
  RunningStatistics running_;
  mutable Affine folded_;  // kept by fold_frozen_norms
};

/// relu?(norm(conv(x)) + residual), in one pass over the output where the norm is a fixed affine map.
Variable conv_norm(const Conv2d& conv, const Norm& norm, const Variable& x, bool relu, const Variable& residual = {});

}  // namespace diopter
