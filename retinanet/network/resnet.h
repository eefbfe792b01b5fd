// Residual networks (He et al. 2016, arXiv 1512.03385) as backbones, with torchvision's parameter names.
#pragma once

#include <memory>
#include <vector>

#include "retinanet/network/backbone.h"

namespace diopter {

/// relu(norm(conv) ... + shortcut): BasicBlock or Bottleneck.
class ResidualBlock : public Module {
 public:
  ResidualBlock(int in, int width, int out, int stride, bool bottleneck, const Config::Model& model,
                InitRandom& random);
  Variable operator()(const Variable& x) const;

 private:
  std::vector<std::unique_ptr<Conv2d>> convs_;
  std::vector<std::unique_ptr<Norm>> norms_;
  std::unique_ptr<Conv2d> shortcut_;
  std::unique_ptr<Norm> shortcut_norm_;
};

/// A backbone NAME of this family is a class NameBackbone with a function `ResNetSpec spec(const Config::Model&)`, from
/// which the weights of other programs are recognised.
class ResNet : public Backbone {
 public:
  ResNet(const ResNetSpec& spec, const Config::Model& model, int last_level, InitRandom& random);

  std::vector<Variable> operator()(const Variable& images) const override;
  int channels(int level) const override { return channels_[level - 2]; }

 private:
  bool pool_;
  std::unique_ptr<Conv2d> stem_;
  std::unique_ptr<Norm> stem_norm_;
  std::vector<std::vector<std::unique_ptr<ResidualBlock>>> stages_;
  std::vector<int> channels_;
};

}  // namespace diopter
