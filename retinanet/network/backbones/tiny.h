// Tiny backbone of one block per stage, for small pictures and quick tries; model.width channels in the stem.
#pragma once

#include "retinanet/network/resnet.h"

namespace diopter {

class TinyBackbone : public ResNet {
 public:
  static ResNetSpec spec(const Config::Model& model) {
    const int w = model.width;
    return {.bottleneck = false,
            .blocks = {1, 1, 1, 1},
            .widths = {2 * w, 4 * w, 4 * w, 8 * w},
            .stem_width = w,
            .small_stem = true};
  }

  TinyBackbone(const Config::Model& model, int last_level, InitRandom& random)
      : ResNet(spec(model), model, last_level, random) {}
};

}  // namespace diopter
