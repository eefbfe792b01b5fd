// The eight ways in which a picture can be held.
#pragma once

#include "data/pictures/image.h"

namespace diopter {

/// The picture as EXIF orientation 1-8 wants it shown: 1 as it is, 3 turned by half a turn, 6 by a quarter clockwise, 8
/// by a quarter counter-clockwise; 2, 4, 5 and 7 are mirrored as well.
Image turn_upright(Image picture, int orientation);

}  // namespace diopter
