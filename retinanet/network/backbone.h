// Residual networks (He et al. 2016) that give the feature maps C2 to C5, with torchvision's parameter names.
#pragma once

#include <memory>
#include <vector>

#include "engine/module.h"
#include "retinanet/config/config.h"

namespace diopter {

/// What makes one residual network different from another.
struct ResNetSpec {
  bool bottleneck;               // 1x1, 3x3, 1x1 with four times the channels; otherwise two 3x3
  std::vector<int> blocks;       // of layer1 .. layer4
  std::vector<int> widths;       // channels of their 3x3 convolutions
  int stem_width;
  bool small_stem;               // 3x3 stride 2, and layer1 has stride 2; otherwise 7x7 stride 2 and a max pool
};

/// The network that a configuration names, cut after the stage of level `last_level` (2 to 5).
ResNetSpec resnet_spec(const Config::Model& model);

/// relu(norm(conv) ... + shortcut): BasicBlock or Bottleneck.
class ResidualBlock : public Module {
 public:
  ResidualBlock(int in, int width, int out, int stride, bool bottleneck, const Config::Model& model, InitRandom& random);
  Variable operator()(const Variable& x) const;

 private:
  std::vector<std::unique_ptr<Conv2d>> convs_;
  std::vector<std::unique_ptr<Norm>> norms_;
  std::unique_ptr<Conv2d> shortcut_;
  std::unique_ptr<Norm> shortcut_norm_;
};

class ResNet : public Module {
 public:
  /// Stages beyond `last_level` are left out.
  ResNet(const Config::Model& model, int last_level, InitRandom& random);

  /// images [N, H, W, 3] -> C2, C3, ... up to C(last_level); C(l) has stride 2^l, sizes rounded up.
  std::vector<Variable> operator()(const Variable& images) const;
  /// Channels of C(level).
  int channels(int level) const { return channels_[level - 2]; }

 private:
  bool pool_;
  std::unique_ptr<Conv2d> stem_;
  std::unique_ptr<Norm> stem_norm_;
  std::vector<std::vector<std::unique_ptr<ResidualBlock>>> stages_;
  std::vector<int> channels_;
};

}  // namespace diopter
