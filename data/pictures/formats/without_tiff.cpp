// In the place of tiff.cpp where a build has no libtiff.
#include "data/pictures/formats/tiff.h"
#include "kernels/base/check.h"

namespace diopter {

PictureHeader tiff_header(std::string_view) {
  fail("cannot be decoded (TIFF, and this build has no libtiff: docs/building.md)");
}

Image decode_tiff(std::string_view bytes, int) {
  tiff_header(bytes);
  return {};
}

int tiff_page_orientation(std::string_view) { return 1; }

std::string tiff_library() { return "no libtiff"; }

}  // namespace diopter
