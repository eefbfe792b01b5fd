// TIFF through libtiff: the first page, of unsigned samples with up to 16 bits.
#pragma once

#include <string>

#include "data/pictures/formats/picture_format.h"

namespace diopter {

/// TIFF of 1992 and BigTIFF, in either byte order.
inline bool recognises_tiff(std::string_view bytes) {
  constexpr std::string_view kStarts[] = {{"II*\0", 4}, {"MM\0*", 4}, {"II+\0", 4}, {"MM\0+", 4}};
  for (const std::string_view start : kStarts) {
    if (bytes.starts_with(start)) return true;
  }
  return false;
}

PictureHeader tiff_header(std::string_view bytes);
/// Grey (black or white is 0), RGB and palettes, with or without further channels, which are dropped; greyscale files
/// of three or more channels are RGB in the first three. Strips or tiles, channels together or in planes; uncompressed,
/// LZW, deflate, PackBits, fax or JPEG. Other kinds and damaged data are an Error.
Image decode_tiff(std::string_view bytes, int white);
/// The orientation tag of the first page.
int tiff_page_orientation(std::string_view bytes);

/// "libtiff 4.5.0", or that this build has none.
std::string tiff_library();

}  // namespace diopter
