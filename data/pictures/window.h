// Parts of pictures.
#pragma once

#include "data/pictures/image.h"

namespace diopter {

/// A part of a picture, in whole pixels.
struct Window {
  int x, y, width, height;

  bool contains(float px, float py) const {
    return px >= float(x) && px < float(x + width) && py >= float(y) && py < float(y + height);
  }
  bool operator==(const Window&) const = default;
};

/// The window's part of the picture, which must hold all of it; mirrored when `flip`, its channels turned around when
/// `bgr`.
Image cut(const Image& image, const Window& window, bool flip = false, bool bgr = false);

}  // namespace diopter
