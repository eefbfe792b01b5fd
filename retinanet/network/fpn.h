// Feature pyramid (Lin et al. 2017, arXiv 1612.03144) with RetinaNet's extra levels.
#pragma once

#include <memory>
#include <vector>

#include "engine/module.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Inputs C(min_level) .. C(top), top = min(max_level, 5):
///   inner(l) = 1x1(C(l)) + upsampled inner(l + 1);   P(l) = 3x3(inner(l))
/// Levels beyond: P(top + 1) = 3x3 stride 2 of C(top) or P(top), then each P(l + 1) = 3x3 stride 2 of relu(P(l)).
class Fpn : public Module {
 public:
  /// in_channels: of C(min_level) .. C(top).
  Fpn(const Config::Model& model, const std::vector<int>& in_channels, InitRandom& random);

  /// P(min_level) .. P(max_level).
  Pyramid operator()(const std::vector<Variable>& maps) const;

 private:
  std::vector<std::unique_ptr<Conv2d>> inner_, layer_, extra_;
  P6Source p6_from_;
};

}  // namespace diopter
