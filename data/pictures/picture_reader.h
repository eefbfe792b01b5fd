// Pictures that are read part by part.
#pragma once

#include <string>

#include "data/pictures/window.h"

namespace diopter {

/// A picture of which parts are wanted.
class PictureReader {
 public:
  /// Decodes all of it. Throws Error as read_image does; `white` as there.
  PictureReader(const std::string& file, int white);

  int width() const { return image_.width; }
  int height() const { return image_.height; }
  /// Whether the file has pages or frames behind the one that is read.
  bool more() const { return image_.more; }
  /// The window's pixels.
  Image cut(const Window& window);

 private:
  std::string file_;
  Image image_;
};

}  // namespace diopter
