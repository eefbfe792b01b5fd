#include "data/pictures/formats/jpeg.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "data/pictures/formats/error_jump.h"
#include "kernels/base/check.h"
#include "kernels/base/limits.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

/// One file's decompressor.
class Jpeg {
 public:
  /// The bytes must stay.
  explicit Jpeg(const ByteSource& bytes) : bytes_(bytes), buffer_(std::size_t{1} << 16) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = fail_with_message;
    errors_.emit_message = take_warning;
    progress_.progress_monitor = watch_scans;
    source_.init_source = [](j_decompress_ptr) {};
    source_.fill_input_buffer = fill;
    source_.skip_input_data = skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = [](j_decompress_ptr) {};
    info_.client_data = this;
  }
  ~Jpeg() { jpeg_destroy_decompress(&info_); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  /// Before anything else.
  void open() {
    jump_.run([&] {
      jpeg_create_decompress(&info_);
      info_.client_data = this;
      info_.progress = &progress_;
      info_.src = &source_;
      jpeg_read_header(&info_, TRUE);
    });
  }

  PictureHeader header() {
    // Several scans need all coefficients at once.
    std::int64_t coefficients = 0;
    for (int i = 0; i < info_.num_components && jpeg_has_multiple_scans(&info_); ++i) {
      const jpeg_component_info& c = info_.comp_info[i];
      coefficients += std::int64_t{c.width_in_blocks} * c.height_in_blocks * DCTSIZE2;
    }
    return {static_cast<int>(info_.image_width), static_cast<int>(info_.image_height),
            coefficients * static_cast<std::int64_t>(sizeof(JCOEF)), false, true};
  }

  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }

  /// Before the first row. Reads all scans but the last.
  void start() {
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    inks_.resize(inks ? std::size_t{4} * info_.image_width : 0);
    jump_.run([&] { jpeg_start_decompress(&info_); });
  }

  /// The next row, into rgb [width, 3].
  void read_row(std::uint8_t* rgb) {
    jump_.run([&] {
      JSAMPROW target = inks_.empty() ? rgb : inks_.data();
      jpeg_read_scanlines(&info_, &target, 1);
      if (!inks_.empty()) rgb_of_inks(inks_.data(), rgb, width());
      if (info_.output_scanline == info_.image_height) jpeg_finish_decompress(&info_);
    });
  }

 private:
  static Jpeg& of(j_common_ptr info) { return *static_cast<Jpeg*>(info->client_data); }

  static void fail_with_message(j_common_ptr info) {
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    char reason[JMSG_LENGTH_MAX + 32];
    std::snprintf(reason, sizeof reason, "cannot be decoded (%s)", text);
    of(info).jump_.jump(reason);
  }

  // libjpeg's view of the bytes.
  static boolean fill(j_decompress_ptr info) {
    Jpeg& jpeg = *static_cast<Jpeg*>(info->client_data);
    const std::size_t count = jpeg.bytes_.read(jpeg.position_, jpeg.buffer_.data(), jpeg.buffer_.size());
    if (count == 0) jpeg.jump_.jump("the file is truncated");
    jpeg.position_ += static_cast<std::int64_t>(count);
    jpeg.source_.next_input_byte = jpeg.buffer_.data();
    jpeg.source_.bytes_in_buffer = count;
    return TRUE;
  }
  static void skip(j_decompress_ptr info, long count) {
    Jpeg& jpeg = *static_cast<Jpeg*>(info->client_data);
    const auto buffered = static_cast<long>(std::min(jpeg.source_.bytes_in_buffer, jpeg.buffer_.size()));
    const long within = std::clamp(count, 0L, buffered);
    jpeg.source_.next_input_byte += within;
    jpeg.source_.bytes_in_buffer -= static_cast<std::size_t>(within);
    jpeg.position_ += std::max(count, 0L) - within;
  }

  /// Warnings that pixels are made up are errors; the others are about what decoders put up with.
  static void take_warning(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
      case JWRN_JPEG_EOF: of(info).jump_.jump("the file is truncated");
      case JWRN_HIT_MARKER:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC: fail_with_message(info); break;
      default: break;
    }
  }

  /// A scan costs time for every pixel, however few bytes it has: those of a large picture have many.
  static void watch_scans(j_common_ptr common) {
    Jpeg& jpeg = of(common);
    const std::int64_t pixels = std::int64_t{jpeg.info_.image_width} * jpeg.info_.image_height;
    const std::int64_t most = limits::kJpegScanPixels.value + limits::kJpegScanPixelsOfByte.value * jpeg.bytes_.size();
    if (jpeg.info_.input_scan_number * pixels > std::max(pixels, most)) {
      jpeg.jump_.jump("cannot be decoded (too many scans)");
    }
  }

  /// Adobe's programs store inks inverted, and say that they wrote the file.
  void rgb_of_inks(const std::uint8_t* inks, std::uint8_t* rgb, int width) const {
    const int flip = info_.saw_Adobe_marker ? 0 : 255;
    for (int x = 0; x < width; ++x, inks += 4, rgb += 3) {
      const int light = inks[3] ^ flip;
      for (int c = 0; c < 3; ++c) rgb[c] = static_cast<std::uint8_t>(((inks[c] ^ flip) * light + 127) / 255);
    }
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  jpeg_source_mgr source_{};
  const ByteSource& bytes_;
  std::int64_t position_ = 0;         // of the first byte behind those in the buffer
  std::vector<std::uint8_t> buffer_;  // of the file
  std::vector<std::uint8_t> inks_;    // a row of them, where the picture has inks
  ErrorJump jump_;
};

class JpegRows final : public PictureRows {
 public:
  explicit JpegRows(std::unique_ptr<Jpeg> jpeg) : PictureRows(jpeg->width(), jpeg->height()), jpeg_(std::move(jpeg)) {}

 private:
  void decode(int y, int count, std::uint8_t* rgb) override {
    const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(width());
    left_out_.resize(stride);
    for (int row = next(); row < y; ++row) jpeg_->read_row(left_out_.data());
    for (int row = 0; row < count; ++row) jpeg_->read_row(rgb + stride * static_cast<std::size_t>(row));
  }

  std::unique_ptr<Jpeg> jpeg_;
  std::vector<std::uint8_t> left_out_;
};

}  // namespace

bool recognises_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); }

PictureHeader jpeg_header(std::string_view bytes) {
  const ByteSource source(bytes);
  Jpeg jpeg(source);
  jpeg.open();
  return jpeg.header();
}

std::unique_ptr<PictureRows> jpeg_rows(const ByteSource& bytes, int) {
  auto jpeg = std::make_unique<Jpeg>(bytes);
  jpeg->open();
  jpeg->start();
  return std::make_unique<JpegRows>(std::move(jpeg));
}

std::string jpeg_library() {
  constexpr int kVersion = LIBJPEG_TURBO_VERSION_NUMBER;  // 2001005 is 2.1.5
  return formatted("libjpeg-turbo %d.%d.%d", kVersion / 1000000, kVersion / 1000 % 1000, kVersion % 1000);
}

}  // namespace diopter
