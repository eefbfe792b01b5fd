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

/// Its directory may stand anywhere in the file.
FirstLook look_at_tiff(const ByteSource& bytes);
/// Grey (black or white is 0), RGB and palettes, with or without further channels, which are dropped; greyscale files
/// of three or more channels are RGB in the first three. Strips or tiles, channels together or in planes; uncompressed,
/// LZW, deflate, PackBits, fax or JPEG. Other kinds and damaged data are an Error.
std::unique_ptr<PictureRows> tiff_rows(const ByteSource& bytes, int white);

/// "libtiff 4.5.0", or that this build has none.
std::string tiff_library();

}  // namespace diopter
