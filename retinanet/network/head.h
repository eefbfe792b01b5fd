// The two subnets, shared over the levels: 3x3 convolutions with ReLU (and group norms, when wanted), then one 3x3 that
// gives `values` numbers for each anchor of a pixel. Lin et al. 2017, section 4.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/module.h"
#include "retinanet/config/config.h"

namespace diopter {

class Subnet : public Module {
 public:
  /// `last_name`: torchvision's name of the last convolution, whose biases start at `last_bias`, repeated over its
  /// channels. float_output: what it gives is not rounded to bf16.
  Subnet(const Config::Model& model, int cells, int values, const std::string& last_name,
         const std::vector<float>& last_bias, bool float_output, InitRandom& random);

  /// [rows, fpn_channels] -> [rows, cells * values]; channel = cell * values + value.
  Pyramid operator()(const Pyramid& x) const;

 private:
  std::vector<std::unique_ptr<Conv2d>> convs_;
  std::vector<std::unique_ptr<Norm>> norms_;  // empty, or one a convolution
  std::unique_ptr<Conv2d> last_;
};

/// Bias with which the sigmoid starts at probability `prior`: -log((1 - prior) / prior).
float prior_bias(double prior);

/// One for all classes, or one per class. Throws Error for another number of them, or where the rule has not found its
/// numbers yet (retinanet/doctor/prior.h).
std::vector<float> prior_biases(const Prior& prior, int classes);

class Head : public Module {
 public:
  Head(const Config::Model& model, int cells, int classes, InitRandom& random);

  Pyramid logits(const Pyramid& x) const { return classification_(x); }
  Pyramid deltas(const Pyramid& x) const { return regression_(x); }

 private:
  Subnet classification_, regression_;
};

}  // namespace diopter
