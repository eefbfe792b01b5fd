// EXIF orientation: how a camera was held.
#pragma once

#include <string_view>

namespace diopter {

/// EXIF orientation (1-8) of a JPEG file's bytes; 1 when there is none.
int exif_orientation(std::string_view jpeg);

/// The same of an EXIF block itself: a TIFF directory, with or without "Exif" and two zeros before it.
int exif_block_orientation(std::string_view block);

}  // namespace diopter
