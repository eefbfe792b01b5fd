// ResNet-50 (He et al. 2016, table 1).
#pragma once

#include "retinanet/network/resnet.h"

namespace diopter {

class Resnet50Backbone : public ResNet {
 public:
  static ResNetSpec spec(const Config::Model&) { return {.bottleneck = true, .blocks = {3, 4, 6, 3}}; }

  Resnet50Backbone(const Config::Model& model, int last_level, InitRandom& random)
      : ResNet(spec(model), model, last_level, random) {}
};

}  // namespace diopter
