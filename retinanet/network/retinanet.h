// The RetinaNet detector: backbone, pyramid and heads (Lin et al. 2017, figure 3).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "retinanet/config/config.h"
#include "retinanet/detection/losses.h"
#include "retinanet/network/backbone.h"
#include "retinanet/network/fpn.h"
#include "retinanet/network/head.h"

namespace diopter {

class RetinaNet : public Module {
 public:
  /// Initialised from config.train.seed; weights are the same for the same seed everywhere. config.model.weights is not
  /// read here. `most_weights`: of its convolutions, more of which are an Error before they take memory.
  RetinaNet(const Config& config, int classes, InitialWeights weights = InitialWeights::random,
            double most_weights = INFINITY);

  struct Output {
    Pyramid logits;  // [rows, cells * classes], of the precision's type
    Pyramid deltas;  // [rows, cells * 4], float
    AnchorGrid grid;
  };
  /// The layers between the input and the heads.
  struct Features {
    std::vector<Variable> maps;  // C(min_level) .. C5
    Pyramid pyramid;             // P(min_level) .. P(max_level)
  };
  /// images [N, H, W, 3], normalised; H and W multiples of the configuration's size_divisor or not. `features`: filled
  /// when given.
  Output operator()(const Variable& images, Features* features = nullptr) const;

  /// Of the activations, float at first; docs/precision.md says what stays float. The weights' bf16 copies (for bf16)
  /// and the maps of frozen norms are made, or renewed after values were read from a file: call it before an optimizer
  /// is made, and after move_to.
  void set_precision(DType precision);
  DType precision() const { return precision_; }

  /// Where parameters and inputs are.
  Device device() const { return parameters().front().variable.value().device(); }
  const Config& config() const { return config_; }
  int classes() const { return classes_; }

 private:
  struct BackboneWithFpn : Module {
    BackboneWithFpn(const Config::Model& model, InitRandom& random);
    std::unique_ptr<Backbone> body;
    Fpn fpn;
    int first_map;
  };

  Config config_;
  int classes_;
  DType precision_ = DType::f32;
  InitRandom random_;
  BackboneWithFpn backbone_;
  Head head_;
};

}  // namespace diopter
