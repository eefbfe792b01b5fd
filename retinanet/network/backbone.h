// Backbones: networks that make the feature maps C2 to C5 of pictures. Each is one header, backbones/NAME.h, which
// model.backbone names (docs/adding_a_backbone.md).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/module.h"
#include "retinanet/config/config.h"

namespace diopter {

class Backbone : public Module {
 public:
  /// images [N, H, W, 3] -> C2, C3, ... up to the last level that was asked for. C(l) is [N, h, w, channels(l)] with
  /// stride 2^l, h and w halved l times and rounded up each time.
  virtual std::vector<Variable> operator()(const Variable& images) const = 0;
  virtual int channels(int level) const = 0;
};

/// Throws Error when there is no backbone of the name model.backbone, naming the nearest one, and when the keys of
/// [model] do not go with it.
void check_backbone(const Config::Model& model);

/// The backbone that model.backbone names, initialised with `random`; stages beyond C(last_level), 2 to 5, are left
/// out. It follows model.norm, groups, norm_eps and freeze_stages. Throws as check_backbone does.
std::unique_ptr<Backbone> make_backbone(const Config::Model& model, int last_level, InitRandom& random);

/// How one residual network differs from another.
struct ResNetSpec {
  bool bottleneck;                                // 1x1, 3x3, 1x1 with four times the channels; otherwise two 3x3
  std::vector<int> blocks;                        // of layer1 .. layer4
  std::vector<int> widths = {64, 128, 256, 512};  // channels of their 3x3 convolutions
  int stem_width = 64;
  bool small_stem = false;  // 3x3 stride 2, and layer1 has stride 2; otherwise 7x7 stride 2 and a max pool
};

/// The specification of the backbone that model.backbone names; nothing for one of another family. Throws Error when
/// there is none of that name.
std::optional<ResNetSpec> resnet_spec(const Config::Model& model);

}  // namespace diopter
