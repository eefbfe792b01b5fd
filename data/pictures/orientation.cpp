#include "data/pictures/orientation.h"

#include <algorithm>

namespace diopter {

Image turn_upright(Image in, int orientation) {
  if (orientation == 1) return in;
  const bool transposed = orientation >= 5;
  Image out;
  out.width = transposed ? in.height : in.width;
  out.height = transposed ? in.width : in.height;
  out.rgb.resize(in.rgb.size());
  out.greatest = in.greatest;
  out.more = in.more;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      int from_x = transposed ? y : x, from_y = transposed ? x : y;
      if (mirror_x) from_x = in.width - 1 - from_x;
      if (mirror_y) from_y = in.height - 1 - from_y;
      std::copy_n(in.pixel(from_x, from_y), 3, out.pixel(x, y));
    }
  }
  return out;
}

}  // namespace diopter
