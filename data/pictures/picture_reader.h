// Pictures that are read part by part.
#pragma once

#include <memory>
#include <string>

#include "data/pictures/picture_rows.h"
#include "data/pictures/window.h"

namespace diopter {

/// A picture of which parts are wanted. Where its format allows (open_rows), only the rows of one part are in memory;
/// others are decoded as a whole. Which way makes no difference to a pixel.
class PictureReader {
 public:
  /// Throws Error as read_image does; `white` as there.
  PictureReader(std::string file, int white);

  int width() const { return rows_ ? rows_->width() : kept_.width; }
  int height() const { return rows_ ? rows_->height() : kept_.height; }
  /// Whether the file has pages or frames behind the one that is read.
  bool more() const { return rows_ ? rows_->more() : kept_.more; }
  /// The window's pixels. Windows that go down the picture read it once; one above the last begins again at its top.
  /// Throws Error as read_image does, where the file is damaged at the window or above it.
  Image cut(const Window& window);

 private:
  void keep_rows(int begin, int end);

  std::string file_;
  int white_;
  std::unique_ptr<PictureRows> rows_;  // null where the whole picture is kept
  Image kept_;                         // rows from begin_ on, or the whole picture
  int begin_ = 0;
};

}  // namespace diopter
