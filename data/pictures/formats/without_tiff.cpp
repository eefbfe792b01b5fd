// In the place of tiff.cpp where a build has no libtiff.
#include "data/pictures/formats/tiff.h"
#include "kernels/base/check.h"

namespace diopter {

FirstLook look_at_tiff(const ByteSource&) {
  fail("cannot be decoded (TIFF, and this build has no libtiff: docs/building.md)");
}

std::unique_ptr<PictureRows> tiff_rows(const ByteSource& bytes, int) {
  look_at_tiff(bytes);
  return nullptr;
}

std::string tiff_library() { return "no libtiff"; }

}  // namespace diopter
