#include "retinanet/config/backbone_names.h"

#include "generated/backbone_names.h"

namespace diopter {

const std::vector<std::string>& backbone_names() {
  static const std::vector<std::string> names(std::begin(kBackboneNames), std::end(kBackboneNames));
  return names;
}

}  // namespace diopter
