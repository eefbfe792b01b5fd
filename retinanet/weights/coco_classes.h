// The 80 classes of COCO, in the order of their ids (1 to 90, with gaps).
#pragma once

#include <vector>

#include "data/dataset.h"

namespace diopter {

const std::vector<Category>& coco_classes();

}  // namespace diopter
