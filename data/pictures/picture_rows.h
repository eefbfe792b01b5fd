// A picture that is decoded row by row, so that only the rows that are wanted are in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/pictures/image.h"

namespace diopter {

class PictureRows {
 public:
  PictureRows(int width, int height) : width_(width), height_(height) {}
  virtual ~PictureRows() = default;
  PictureRows(const PictureRows&) = delete;
  PictureRows& operator=(const PictureRows&) = delete;

  int width() const { return width_; }
  int height() const { return height_; }
  /// Of the rows that were decoded so far: see Image.
  int greatest() const { return greatest_; }
  bool more() const { return more_; }

  /// Decodes rows y to y + count - 1 into rgb [count, width, 3]; those before y that were not read are left out. Throws
  /// Error with the reason alone, as read_image; and where a row is above one that was read before.
  void read(int y, int count, std::uint8_t* rgb);

 protected:
  /// The same; y is not above `next`, the first row that was neither read nor left out.
  virtual void decode(int y, int count, std::uint8_t* rgb) = 0;
  int next() const { return next_; }

  int greatest_ = 0;
  bool more_ = false;

 private:
  int width_, height_, next_ = 0;
};

/// The rows of a picture file as read_image would return them, with `memory` bytes beside the rows that are asked for.
/// Null where they cannot be had one after the other: formats that are decoded at once (interlaced PNG, WebP, BMP, GIF,
/// TGA) and pictures that are turned upright. Throws Error as read_image.
std::unique_ptr<PictureRows> open_rows(const std::string& file, int white = kFullRange);

}  // namespace diopter
