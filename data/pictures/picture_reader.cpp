#include "data/pictures/picture_reader.h"

#include "kernels/base/check.h"

namespace diopter {

PictureReader::PictureReader(const std::string& file, int white) : file_(file), image_(read_image(file, white)) {}

Image PictureReader::cut(const Window& window) {
  DIOPTER_CHECK(window.width > 0 && window.height > 0 && window.x + window.width <= width() &&
                    window.y + window.height <= height(),
                file_, ": has changed while it was being read");
  return diopter::cut(image_, window);
}

}  // namespace diopter
