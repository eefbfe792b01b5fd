// In the place of webp.cpp where a build has no libwebp.
#include "data/pictures/formats/webp.h"
#include "kernels/base/check.h"

namespace diopter {

PictureHeader webp_header(std::string_view) {
  fail("cannot be decoded (WebP, and this build has no libwebp: docs/building.md)");
}

Image decode_webp(std::string_view bytes, int) {
  webp_header(bytes);
  return {};
}

int webp_orientation(std::string_view) { return 1; }

std::string webp_library() { return "no libwebp"; }

}  // namespace diopter
