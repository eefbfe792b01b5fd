#include "data/pictures/window.h"

#include <cstddef>
#include <cstdint>

namespace diopter {

Image cut(const Image& image, const Window& window, bool flip, bool bgr) {
  Image part;
  part.width = window.width;
  part.height = window.height;
  part.rgb.resize(static_cast<std::size_t>(window.width) * window.height * 3);
  std::uint8_t* out = part.rgb.data();
  for (int y = 0; y < window.height; ++y) {
    const std::uint8_t* row = image.pixel(window.x, window.y + y);
    for (int x = 0; x < window.width; ++x, out += 3) {
      const std::uint8_t* rgb = row + 3 * (flip ? window.width - 1 - x : x);
      for (int c = 0; c < 3; ++c) out[c] = rgb[bgr ? 2 - c : c];
    }
  }
  return part;
}

}  // namespace diopter
