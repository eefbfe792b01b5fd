// Anchors of the C interface as kernels take them.
#pragma once

#include "kernels/detection/anchors.h"
#include "retinanet/c_api/diopter.h"

namespace diopter::c_api {

/// Throws BadArgument naming the member that is out of range. All anchors have positive width and height.
AnchorGrid anchor_grid(const diopter_anchor_grid* grid);

}  // namespace diopter::c_api
