#include "data/pictures/image.h"

#include "kernels/base/check.h"
#include "kernels/base/files.h"

// Static, so that no other library's copy is linked instead.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace diopter {
namespace {

void append(void* text, void* data, int size) {
  static_cast<std::string*>(text)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace

void write_image(const std::string& file, const Image& image) {
  constexpr int kJpegQuality = 90;
  const std::string extension = extension_of(file);
  DIOPTER_CHECK(image.width > 0 && image.height > 0, file, ": cannot write: the picture is empty");
  std::string bytes;
  int written = 0;
  if (extension == ".png") {
    written = stbi_write_png_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), 3 * image.width);
  } else if (extension == ".jpg" || extension == ".jpeg") {
    written = stbi_write_jpg_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), kJpegQuality);
  } else if (extension == ".bmp") {
    written = stbi_write_bmp_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data());
  } else {
    fail(file, ": cannot write: the extension must be .png, .jpg or .bmp");
  }
  DIOPTER_CHECK(written != 0, file, ": cannot write: the picture cannot be encoded");
  write_file_atomically(file, bytes, OnDisk::later);
}

}  // namespace diopter
