// ResNet-18 (He et al. 2016, table 1).
#pragma once

#include "retinanet/network/resnet.h"

namespace diopter {

class Resnet18Backbone : public ResNet {
 public:
  static ResNetSpec spec(const Config::Model&) { return {.bottleneck = false, .blocks = {2, 2, 2, 2}}; }

  Resnet18Backbone(const Config::Model& model, int last_level, InitRandom& random)
      : ResNet(spec(model), model, last_level, random) {}
};

}  // namespace diopter
