// PNG through libpng: every depth and colour type, interlaced or not.
#pragma once

#include "data/pictures/picture_format.h"

namespace diopter {

bool recognises_png(std::string_view bytes);
PictureHeader png_header(std::string_view bytes);
/// Samples of 16 bits become their upper 8 bits; transparency is dropped; gamma and colour profiles are not applied.
/// Nothing is inflated beyond the picture's rows. Truncated and damaged data are an Error.
Image decode_png(std::string_view bytes);

}  // namespace diopter
