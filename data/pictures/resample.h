// Resizing of 8-bit pictures as Pillow's Image.resize(..., BILINEAR) does it, which Detectron2 uses: a triangle that is
// as wide as an output pixel where the picture shrinks (so that nothing is skipped), in fixed point, rounded to 8 bits
// after each of the two passes, rows first.
//
//   weight(o, i) ~ max(0, 1 - |i + 1/2 - (o + 1/2) s| / max(s, 1)),  s = input size / output size, sum 1
#pragma once

#include "data/pictures/image.h"

namespace diopter {

/// The picture in another size, with the bits of Pillow until version 12. (Version 13 begins with the columns for some
/// sizes: single values differ by 1.) width, height >= 1.
Image resample(const Image& image, int width, int height);

}  // namespace diopter
