#include "data/pictures/formats/png.h"

#include <png.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "data/pictures/formats/error_jump.h"
#include "data/pictures/formats/exif.h"
#include "kernels/base/check.h"
#include "kernels/base/limits.h"

namespace diopter {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1A\n";
constexpr std::size_t kHeaderEnd = 29;  // of the fields that are read here
constexpr int kLargestPixel = 8;        // bytes, of 16-bit RGBA
constexpr int kDeepPixel = 6;           // bytes, of 16-bit RGB
constexpr int kMostOf16 = 65535;

std::size_t big_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// Bytes of pixel data that stand behind an offset.
std::size_t pixel_data_behind(std::string_view bytes, std::size_t offset) {
  constexpr std::size_t kAround = 12;  // bytes of a chunk beside its data: length, type, checksum
  std::size_t count = 0;
  for (std::size_t at = kSignature.size(); at + kAround <= bytes.size();) {
    const std::size_t length = big_endian(bytes.substr(at, 4)), begin = at + 8, end = begin + length;
    if (bytes.substr(at + 4, 4) == "IDAT") count += end - std::clamp(offset, begin, end);
    at += length + kAround;
  }
  return count;
}

/// One file's reader.
class Png {
 public:
  explicit Png(std::string_view bytes) : bytes_(bytes), rest_(bytes) {
    jump_.run([&] {
      png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail_with_message, ignore_warning);
      if (png_) info_ = png_create_info_struct(png_);
    });
    if (!info_) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw Error("cannot be decoded (no memory)");
    }
  }
  ~Png() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  Image decode(int white) {
    Image image;
    jump_.run([&] { read_header(); });
    image.width = static_cast<int>(png_get_image_width(png_, info_));
    image.height = static_cast<int>(png_get_image_height(png_, info_));
    image.rgb.resize(std::size_t{3} * image.width * image.height);
    if (deep_) {
      read_deep(image, white == kFullRange ? kMostOf16 : white);
    } else {
      const auto row = [&](int y) { return image.pixel(0, y); };
      jump_.run([&] { read_rows(image, 3, row, [](int, const std::uint8_t*) {}); });
    }
    return image;
  }

 private:
  static void fail_with_message(png_structp png, png_const_charp text) {
    char reason[200];
    std::snprintf(reason, sizeof reason, "cannot be decoded (%s)", text);
    static_cast<Png*>(png_get_error_ptr(png))->jump_.jump(reason);
  }
  static void ignore_warning(png_structp, png_const_charp) {}

  static void read(png_structp png, png_bytep target, std::size_t count) {
    Png& file = *static_cast<Png*>(png_get_io_ptr(png));
    if (count > file.rest_.size()) file.jump_.jump("the file is truncated");
    std::memcpy(target, file.rest_.data(), count);
    file.rest_.remove_prefix(count);
  }

  void read_header() {
    constexpr png_uint_32 kAny = std::numeric_limits<std::int32_t>::max();
    png_set_user_limits(png_, kAny, kAny);  // whoever calls has compared the size with ours
    png_set_read_fn(png_, this, read);
    // Nothing but the pixels is wanted: texts and profiles are not even inflated.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    deep_ = png_get_bit_depth(png_, info_) == 16;
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_gray_to_rgb(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  /// Rows of 16-bit samples in big-endian order, all of them where passes fill them up one after another.
  void read_deep(Image& image, int white) {
    const std::size_t stride = std::size_t{kDeepPixel} * image.width;
    std::vector<std::uint8_t> rows(stride * static_cast<std::size_t>(passes_ > 1 ? image.height : 1));
    const auto row = [&](int y) { return rows.data() + (passes_ > 1 ? stride * static_cast<std::size_t>(y) : 0); };
    const auto finished = [&](int y, const std::uint8_t* in) {
      std::uint8_t* out = image.pixel(0, y);
      for (int i = 0; i < 3 * image.width; ++i, in += 2) {
        const int sample = in[0] << 8 | in[1];
        image.greatest = std::max(image.greatest, sample);
        out[i] = eight_bits(sample, white);
      }
    };
    jump_.run([&] { read_rows(image, kDeepPixel, row, finished); });
  }

  /// Row y is read into row(y), as often as there are passes; after the last, finished(y, row(y)).
  template <class Row, class Finished>
  void read_rows(const Image& image, std::size_t pixel_bytes, const Row& row, const Finished& finished) {
    if (png_get_rowbytes(png_, info_) != pixel_bytes * image.width) png_error(png_, "an unknown kind of pixels");
    for (int pass = 0; pass < passes_; ++pass) {
      const bool last = pass + 1 == passes_;
      for (int y = 0; y < image.height; ++y) {
        if (last && y + 1 == image.height) check_end();
        png_read_row(png_, row(y), nullptr);
        if (last) finished(y, row(y));
      }
    }
    png_read_end(png_, nullptr);
  }

  /// With the last row libpng inflates all that is left, to compare the checksum: only where that is little.
  void check_end() {
    constexpr std::size_t kEnd = std::size_t{1} << 16;
    const std::size_t row = png_get_image_width(png_, info_) * kLargestPixel;
    if (pixel_data_behind(bytes_, bytes_.size() - rest_.size()) > kEnd + row) {
      png_error(png_, "data go on behind the last row");
    }
  }

  std::string_view bytes_, rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  bool deep_ = false;  // samples of 16 bits
  ErrorJump jump_;
};

}  // namespace

bool recognises_png(std::string_view bytes) { return bytes.starts_with(kSignature); }

PictureHeader png_header(std::string_view bytes) {
  DIOPTER_CHECK(bytes.size() >= kHeaderEnd, "the file is truncated");
  DIOPTER_CHECK(bytes.substr(12, 4) == "IHDR", "cannot be decoded (no IHDR at its start)");
  const auto width = static_cast<std::int64_t>(big_endian(bytes.substr(16, 4)));
  const auto height = static_cast<std::int64_t>(big_endian(bytes.substr(20, 4)));
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  DIOPTER_CHECK(width >= 1 && height >= 1 && width <= kMost && height <= kMost, "cannot be decoded (a size of ", width,
                "x", height, ")");
  constexpr std::int64_t kRows = 4;  // libpng's buffers of one row each, and ours
  const bool deep = bytes[24] == 16, interlaced = bytes[28] != 0;
  const std::int64_t kept_rows = deep && interlaced ? std::min(height, limits::kPictureSide.value) : 0;
  return {static_cast<int>(width), static_cast<int>(height), (kRows * kLargestPixel + kept_rows * kDeepPixel) * width,
          deep};
}

Image decode_png(std::string_view bytes, int white) { return Png(bytes).decode(white); }

int png_orientation(std::string_view bytes) {
  for (std::size_t at = kSignature.size(); at + 8 <= bytes.size();) {
    const std::size_t length = big_endian(bytes.substr(at, 4)), begin = at + 8;
    const std::string_view kind = bytes.substr(at + 4, 4);
    if (kind == "IDAT") return 1;
    if (kind == "eXIf") return exif_block_orientation(bytes.substr(begin, length));
    at = begin + length + 4;  // a checksum
  }
  throw Error("the file is truncated");
}

std::string png_library() { return std::string("libpng ") + png_get_libpng_ver(nullptr); }

}  // namespace diopter
