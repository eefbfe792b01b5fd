// Batches of pictures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/pictures/augment.h"

namespace diopter {

/// Pictures padded to a common size with zeros (the mean colour) at the right and bottom, and their boxes.
struct Batch {
  int images = 0, height = 0, width = 0;
  std::vector<float> pixels;            // [images, height, width, 3], normalised; or, for PixelsBy::device:
  std::vector<std::uint8_t> bytes;      // of all pictures, and where they lie (kernels/nn/pictures.h)
  std::vector<PictureBytes> pictures;   // [images]
  Normalisation normalisation;          // to be applied to them
  std::vector<float> boxes;             // [total, 4], in pixels of the input
  std::vector<std::int32_t> labels;     // [total]: class or kIgnore
  std::vector<std::int32_t> offsets;    // [images + 1]: boxes of image i are [offsets[i], offsets[i + 1])
  std::vector<float> sizes;             // [images, 2]: width and height of each picture before padding
  std::vector<float> original_sizes;    // [images, 2]: of the decoded picture, or of the view of it
  std::vector<PictureView> views;       // [images]
  std::vector<std::int64_t> image_ids;  // [images]
  std::vector<std::string> names;       // [images]: for messages
};

/// Puts samples together; the common size is a multiple of `divisor`.
Batch collate(const std::vector<Sample>& samples, int divisor);

}  // namespace diopter
