#include "data/pictures/formats/png.h"

#include <png.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

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
std::int64_t pixel_data_behind(const ByteSource& bytes, std::int64_t offset) {
  constexpr std::int64_t kAround = 12;  // bytes of a chunk beside its data: length, type, checksum
  std::int64_t count = 0;
  for (auto at = std::ssize(kSignature); at + kAround <= bytes.size();) {
    char header[8] = {};
    bytes.read(at, header, sizeof header);
    const std::string_view length_and_kind(header, sizeof header);
    const auto length = static_cast<std::int64_t>(big_endian(length_and_kind.substr(0, 4)));
    const std::int64_t begin = at + 8, end = begin + length;
    if (length_and_kind.substr(4) == "IDAT") count += end - std::clamp(offset, begin, end);
    at += length + kAround;
  }
  return count;
}

/// One file's reader.
class Png {
 public:
  /// The bytes must stay.
  explicit Png(const ByteSource& bytes) : bytes_(bytes) {
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

  /// Before anything else.
  void open() {
    jump_.run([&] { read_header(); });
  }

  int width() const { return static_cast<int>(png_get_image_width(png_, info_)); }
  int height() const { return static_cast<int>(png_get_image_height(png_, info_)); }
  int passes() const { return passes_; }
  bool deep() const { return deep_; }
  /// Bytes of a row as read_row gives it: samples of 16 bits in big-endian order, or of 8.
  std::size_t row_bytes() const { return (deep_ ? kDeepPixel : 3) * static_cast<std::size_t>(width()); }

  /// The next row; in every pass but the first `row` holds what the one before left there.
  void read_row(std::uint8_t* row) {
    jump_.run([&] {
      const bool last = rows_read_ + 1 == std::int64_t{passes_} * height();
      if (last) check_end();
      png_read_row(png_, row, nullptr);
      ++rows_read_;
      if (last) png_read_end(png_, nullptr);
    });
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
    if (file.bytes_.read(file.position_, target, count) < count) file.jump_.jump("the file is truncated");
    file.position_ += static_cast<std::int64_t>(count);
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
    if (png_get_rowbytes(png_, info_) != row_bytes()) png_error(png_, "an unknown kind of pixels");
  }

  /// With the last row libpng inflates all that is left, to compare the checksum: only where that is little.
  void check_end() {
    constexpr std::int64_t kEnd = std::int64_t{1} << 16;
    if (pixel_data_behind(bytes_, position_) > kEnd + std::int64_t{kLargestPixel} * width()) {
      png_error(png_, "data go on behind the last row");
    }
  }

  const ByteSource& bytes_;
  std::int64_t position_ = 0;   // of the first byte that was not read
  std::int64_t rows_read_ = 0;  // in all passes
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  bool deep_ = false;  // samples of 16 bits
  ErrorJump jump_;
};

/// Samples of 16 bits, big-endian, as 8; `greatest` becomes that of them where it is less.
void take_deep(const std::uint8_t* row, int samples, int white, std::uint8_t* out, int& greatest) {
  for (int i = 0; i < samples; ++i, row += 2) {
    const int sample = row[0] << 8 | row[1];
    greatest = std::max(greatest, sample);
    out[i] = eight_bits(sample, white == kFullRange ? kMostOf16 : white);
  }
}

class PngRows final : public PictureRows {
 public:
  PngRows(std::unique_ptr<Png> png, int white)
      : PictureRows(png->width(), png->height()), png_(std::move(png)), white_(white), row_(png_->row_bytes()) {}

 private:
  void decode(int y, int count, std::uint8_t* rgb) override {
    for (int row = next(); row < y; ++row) png_->read_row(row_.data());
    for (int row = 0; row < count; ++row, rgb += std::ptrdiff_t{3} * width()) {
      if (!png_->deep()) {
        png_->read_row(rgb);
        continue;
      }
      png_->read_row(row_.data());
      take_deep(row_.data(), 3 * width(), white_, rgb, greatest_);
    }
  }

  std::unique_ptr<Png> png_;
  int white_;
  std::vector<std::uint8_t> row_;
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
          deep, !interlaced};
}

std::unique_ptr<PictureRows> png_rows(const ByteSource& bytes, int white) {
  auto png = std::make_unique<Png>(bytes);
  png->open();
  return std::make_unique<PngRows>(std::move(png), white);
}

Image decode_png(std::string_view bytes, int white) {
  const ByteSource source(bytes);
  Png png(source);
  png.open();
  Image image;
  image.width = png.width();
  image.height = png.height();
  image.rgb.resize(std::size_t{3} * image.width * image.height);
  std::vector<std::uint8_t> deep(png.deep() ? 2 * image.rgb.size() : 0);
  std::uint8_t* rows = png.deep() ? deep.data() : image.rgb.data();
  for (int pass = 0; pass < png.passes(); ++pass) {
    for (int y = 0; y < image.height; ++y) png.read_row(rows + png.row_bytes() * static_cast<std::size_t>(y));
  }
  // A row's at a time: the number of samples of a picture may not be an int.
  for (int y = 0; y < image.height && png.deep(); ++y) {
    take_deep(rows + png.row_bytes() * static_cast<std::size_t>(y), 3 * image.width, white, image.pixel(0, y),
              image.greatest);
  }
  return image;
}

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
