#include <algorithm>
#include <filesystem>
#include <utility>

#include "data/pictures/formats/exif.h"
#include "data/pictures/formats/jpeg.h"
#include "data/pictures/formats/picture_format.h"
#include "data/pictures/formats/png.h"
#include "data/pictures/formats/pnm.h"
#include "data/pictures/formats/stb_pictures.h"
#include "data/pictures/formats/tiff.h"
#include "data/pictures/formats/webp.h"
#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

namespace diopter {
namespace {

/// Asked in this order which of them recognises a file's bytes.
constexpr PictureFormat kFormats[] = {
    {"JPEG", ".jpg .jpeg", recognises_jpeg, jpeg_header, decode_jpeg, exif_orientation},
    {"PNG", ".png", recognises_png, png_header, decode_png, png_orientation},
    {"TIFF", ".tif .tiff", recognises_tiff, tiff_header, decode_tiff, tiff_page_orientation},
    {"WebP", ".webp", recognises_webp, webp_header, decode_webp, webp_orientation},
    {"PNM", ".ppm .pgm .pnm", recognises_pnm, pnm_header, decode_pnm, always_upright},
    {"BMP", ".bmp", recognises_bmp, stb_header, decode_with_stb, always_upright},
    {"GIF", ".gif", recognises_gif, stb_header, decode_with_stb, always_upright},
    {"TGA", ".tga", recognises_tga, stb_header, decode_with_stb, always_upright},
};

// Bytes from which a header is read, one after the other until it is whole: most headers, those with thumbnails (two
// APP segments of a JPEG file), and any.
constexpr std::size_t kHeaderBytes[] = {std::size_t{1} << 12, std::size_t{1} << 17,
                                        static_cast<std::size_t>(limits::kPictureBytes.value)};

/// The first `limit` bytes of the file, or all of it.
std::string read_picture_file(const std::string& file, std::size_t limit) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  // A pipe could be read only once.
  DIOPTER_CHECK(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), file, ": not a file");
  std::string bytes = read_file(file, limit);
  DIOPTER_CHECK(!bytes.empty(), file, ": the file is empty");
  return bytes;
}

const PictureFormat& format_of(std::string_view bytes) {
  for (const PictureFormat& format : kFormats) {
    if (format.recognises(bytes)) return format;
  }
  fail("cannot be decoded (not one of ", picture_format_names(), ")");
}

struct UprightSize {
  int width, height;
};

UprightSize upright_size(std::string_view bytes) {
  const PictureFormat& format = format_of(bytes);
  const PictureHeader header = format.header(bytes);
  return format.orientation(bytes) >= 5 ? UprightSize{header.height, header.width}
                                        : UprightSize{header.width, header.height};
}

/// Calls look() with the file's first bytes; where it throws because they may be too few, with more.
template <class Look>
void of_header(const std::string& file, const Look& look) {
  for (const std::size_t limit : kHeaderBytes) {
    const std::string bytes = read_picture_file(file, limit);
    try {
      return look(bytes);
    } catch (const Error& error) {
      const bool header_may_be_longer = bytes.size() == limit && limit != *std::rbegin(kHeaderBytes);
      if (!header_may_be_longer) fail(file, ": ", error.what());
    }
  }
}

}  // namespace

bool is_picture(const std::string& file) {
  const std::string extension = extension_of(file);
  return !extension.empty() && std::any_of(std::begin(kFormats), std::end(kFormats), [&](const PictureFormat& format) {
    return (std::string(format.extensions) + " ").find(extension + " ") != std::string::npos;
  });
}

std::string picture_format_names() {
  std::string names;
  for (const PictureFormat& format : kFormats) names += (names.empty() ? "" : ", ") + std::string(format.name);
  return names;
}

std::string picture_libraries() {
  return jpeg_library() + ", " + png_library() + ", " + tiff_library() + ", " + webp_library();
}

Image decode_image(std::string_view bytes, int white) {
  const PictureFormat& format = format_of(bytes);
  const PictureHeader header = format.header(bytes);
  const std::int64_t pixels = std::int64_t{header.width} * header.height;
  DIOPTER_CHECK(pixels <= limits::kPicturePixels.value, header.width, "x", header.height, " is larger than ",
                limits::kPicturePixels.value >> 20, " megapixels");
  const int longer = std::max(header.width, header.height);
  DIOPTER_CHECK(longer <= limits::kPictureSide.value, header.width, "x", header.height, " is longer than ",
                limits::kPictureSide.value, " pixels");
  const int orientation = format.orientation(bytes);
  const std::int64_t rgb = 3 * pixels, memory = rgb + std::max(header.memory, orientation == 1 ? 0 : rgb);
  DIOPTER_CHECK(memory <= limits::memory(static_cast<std::int64_t>(bytes.size())), header.width, "x", header.height,
                " in ", bytes.size(), " bytes: decoding would take ", memory >> 20, " MiB");
  return turn_upright(format.decode(bytes, white), orientation);
}

Image read_image(const std::string& file, int white) {
  const auto most = static_cast<std::size_t>(limits::kPictureBytes.value);
  const std::string bytes = read_picture_file(file, most + 1);
  DIOPTER_CHECK(bytes.size() <= most, file, ": larger than 1 GiB");
  try {
    return decode_image(bytes, white);
  } catch (const Error& error) {
    fail(file, ": ", error.what());
  }
}

void read_image_size(const std::string& file, int& width, int& height) {
  of_header(file, [&](std::string_view bytes) {
    const UprightSize size = upright_size(bytes);
    width = size.width;
    height = size.height;
  });
}

bool is_deep_picture(const std::string& file) {
  bool deep = false;
  of_header(file, [&](std::string_view bytes) { deep = format_of(bytes).header(bytes).deep; });
  return deep;
}

}  // namespace diopter
