// PNG through libpng: every depth and colour type, interlaced or not.
#pragma once

#include "data/pictures/formats/picture_format.h"

namespace diopter {

bool recognises_png(std::string_view bytes);
PictureHeader png_header(std::string_view bytes);
/// Transparency is dropped; gamma and colour profiles are not applied. kFullRange leaves the upper 8 of 16 bits.
/// Nothing is inflated beyond the picture's rows. Truncated and damaged data are an Error.
std::unique_ptr<PictureRows> png_rows(const ByteSource& bytes, int white);
/// Of interlaced files.
Image decode_png(std::string_view bytes, int white);
/// The orientation of an eXIf chunk before the pixels.
int png_orientation(std::string_view bytes);
std::string png_library();

}  // namespace diopter
