#include <algorithm>
#include <memory>
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
#include "data/pictures/orientation.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

namespace diopter {
namespace {

/// Asked in this order which of them recognises a file's bytes.
constexpr PictureFormat kFormats[] = {
    {"JPEG", ".jpg .jpeg", recognises_jpeg, look_at_first_bytes<jpeg_header, exif_orientation>, jpeg_rows, nullptr},
    {"PNG", ".png", recognises_png, look_at_first_bytes<png_header, png_orientation>, png_rows, decode_png},
    {"TIFF", ".tif .tiff", recognises_tiff, look_at_tiff, tiff_rows, nullptr},
    {"WebP", ".webp", recognises_webp, look_at_first_bytes<webp_header, webp_orientation>, nullptr, decode_webp},
    {"PNM", ".ppm .pgm .pnm", recognises_pnm, look_at_first_bytes<pnm_header, always_upright>, pnm_rows, nullptr},
    {"BMP", ".bmp", recognises_bmp, look_at_first_bytes<stb_header, always_upright>, nullptr, decode_with_stb},
    {"GIF", ".gif", recognises_gif, look_at_first_bytes<stb_header, always_upright>, nullptr, decode_with_stb},
    {"TGA", ".tga", recognises_tga, look_at_first_bytes<stb_header, always_upright>, nullptr, decode_with_stb},
};

const PictureFormat& format_of(const ByteSource& bytes) {
  constexpr std::int64_t kEnough = 4096;
  const std::string first = bytes.first(kEnough);
  for (const PictureFormat& format : kFormats) {
    if (format.recognises(first)) return format;
  }
  fail("cannot be decoded (not one of ", picture_format_names(), ")");
}

void check_size(const PictureHeader& header) {
  const std::int64_t pixels = std::int64_t{header.width} * header.height;
  DIOPTER_CHECK(pixels <= limits::kPicturePixels.value, header.width, "x", header.height, " is larger than ",
                limits::kPicturePixels.value >> 20, " megapixels");
  const int longer = std::max(header.width, header.height);
  DIOPTER_CHECK(longer <= limits::kPictureSide.value, header.width, "x", header.height, " is longer than ",
                limits::kPictureSide.value, " pixels");
}

void check_memory(const PictureHeader& header, std::int64_t memory, std::int64_t file_bytes) {
  DIOPTER_CHECK(memory <= limits::memory(file_bytes), header.width, "x", header.height, " in ", file_bytes,
                " bytes: decoding would take ", memory >> 20, " MiB");
}

Image decode_rows(PictureRows& rows) {
  Image image;
  image.width = rows.width();
  image.height = rows.height();
  image.rgb.resize(std::size_t{3} * image.width * image.height);
  rows.read(0, image.height, image.rgb.data());
  image.greatest = rows.greatest();
  image.more = rows.more();
  return image;
}

Image decode(const ByteSource& bytes, int white) {
  const PictureFormat& format = format_of(bytes);
  const auto [header, orientation] = format.look(bytes);
  check_size(header);
  const std::int64_t rgb = std::int64_t{3} * header.width * header.height;
  check_memory(header, rgb + std::max(header.memory, orientation == 1 ? 0 : rgb), bytes.size());
  if (header.by_rows) return turn_upright(decode_rows(*format.rows(bytes, white)), orientation);
  DIOPTER_CHECK(bytes.size() <= limits::kPictureBytes.value, "larger than 1 GiB");
  return turn_upright(format.decode(bytes.first(bytes.size()), white), orientation);
}

/// Calls take() with the file's bytes; its errors name the file.
template <class Take>
auto of_file(const std::string& file, const ByteSource& bytes, const Take& take) {
  try {
    return take(bytes);
  } catch (const OutOfResources&) {
    throw;
  } catch (const Error& error) {
    if (bytes.error() != 0) fail_to_read(file, bytes.error());
    fail(file, ": ", error.what());
  }
}

/// Rows of a file, which is open as long as they are read.
class FileRows final : public PictureRows {
 public:
  FileRows(std::string file, std::unique_ptr<ByteSource> bytes, std::unique_ptr<PictureRows> rows)
      : PictureRows(rows->width(), rows->height()),
        file_(std::move(file)),
        bytes_(std::move(bytes)),
        rows_(std::move(rows)) {
    more_ = rows_->more();
  }

 private:
  void decode(int y, int count, std::uint8_t* rgb) override {
    of_file(file_, *bytes_, [&](const ByteSource&) { rows_->read(y, count, rgb); });
    greatest_ = rows_->greatest();
  }

  std::string file_;
  std::unique_ptr<ByteSource> bytes_;
  std::unique_ptr<PictureRows> rows_;
};

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

Image decode_image(std::string_view bytes, int white) { return decode(ByteSource(bytes), white); }

Image read_image(const std::string& file, int white) {
  const ByteSource source(file);
  return of_file(file, source, [&](const ByteSource& bytes) { return decode(bytes, white); });
}

std::unique_ptr<PictureRows> open_rows(const std::string& file, int white) {
  auto source = std::make_unique<ByteSource>(file);
  std::unique_ptr<PictureRows> rows = of_file(file, *source, [&](const ByteSource& bytes) {
    const PictureFormat& format = format_of(bytes);
    const auto [header, orientation] = format.look(bytes);
    check_size(header);
    if (!header.by_rows || orientation != 1) return std::unique_ptr<PictureRows>();
    check_memory(header, header.memory, bytes.size());
    return format.rows(bytes, white);
  });
  if (!rows) return nullptr;
  return std::make_unique<FileRows>(file, std::move(source), std::move(rows));
}

void read_image_size(const std::string& file, int& width, int& height) {
  const ByteSource source(file);
  const FirstLook look = of_file(file, source, [](const ByteSource& bytes) { return format_of(bytes).look(bytes); });
  width = look.header.width;
  height = look.header.height;
  if (look.orientation >= 5) std::swap(width, height);
}

bool is_deep_picture(const std::string& file) {
  const ByteSource source(file);
  return of_file(file, source, [](const ByteSource& bytes) { return format_of(bytes).look(bytes).header.deep; });
}

}  // namespace diopter
