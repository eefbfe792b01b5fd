// WebP through libwebp: lossy, lossless, and the first frame of animations.
#pragma once

#include <string>

#include "data/pictures/formats/picture_format.h"

namespace diopter {

inline bool recognises_webp(std::string_view bytes) {
  return bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

PictureHeader webp_header(std::string_view bytes);
/// Transparency is dropped, as of PNG files. A frame that does not cover the picture lies on black. Truncated and
/// damaged data are an Error.
Image decode_webp(std::string_view bytes, int white);
/// The orientation in the file's EXIF chunk; an Error where the header announces one and the file ends before it.
int webp_orientation(std::string_view bytes);

/// "libwebp 1.2.4", or that this build has none.
std::string webp_library();

}  // namespace diopter
