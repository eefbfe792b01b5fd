// Names that model.backbone may have: those of the headers in retinanet/network/backbones.
#pragma once

#include <string>
#include <vector>

namespace diopter {

const std::vector<std::string>& backbone_names();

}  // namespace diopter
