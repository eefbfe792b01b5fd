#include "data/pictures/formats/jpeg.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
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
  Jpeg() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = fail_with_message;
    errors_.emit_message = take_warning;
    progress_.progress_monitor = watch_scans;
    info_.client_data = this;
  }
  ~Jpeg() { jpeg_destroy_decompress(&info_); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  /// Before anything else; the bytes must stay.
  void open(std::string_view bytes) {
    bytes_ = static_cast<std::int64_t>(bytes.size());
    jump_.run([&] {
      jpeg_create_decompress(&info_);
      info_.client_data = this;
      info_.progress = &progress_;
      jpeg_mem_src(&info_, unsigned_bytes(bytes), bytes.size());
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
            coefficients * static_cast<std::int64_t>(sizeof(JCOEF))};
  }

  Image decode() {
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    Image image;
    image.width = static_cast<int>(info_.image_width);
    image.height = static_cast<int>(info_.image_height);
    image.rgb.resize(std::size_t{3} * image.width * image.height);
    std::vector<std::uint8_t> row(inks ? std::size_t{4} * image.width : 0);
    jump_.run([&] {
      jpeg_start_decompress(&info_);
      for (int y = 0; y < image.height; ++y) {
        JSAMPROW target = inks ? row.data() : image.pixel(0, y);
        jpeg_read_scanlines(&info_, &target, 1);
        if (inks) rgb_of_inks(row.data(), image.pixel(0, y), image.width);
      }
      jpeg_finish_decompress(&info_);
    });
    return image;
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
    const std::int64_t most = limits::kJpegScanPixels.value + limits::kJpegScanPixelsOfByte.value * jpeg.bytes_;
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
  std::int64_t bytes_ = 0;  // of the file
  ErrorJump jump_;
};

}  // namespace

bool recognises_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); }

PictureHeader jpeg_header(std::string_view bytes) {
  Jpeg jpeg;
  jpeg.open(bytes);
  return jpeg.header();
}

Image decode_jpeg(std::string_view bytes, int) {
  Jpeg jpeg;
  jpeg.open(bytes);
  return jpeg.decode();
}

std::string jpeg_library() {
  constexpr int kVersion = LIBJPEG_TURBO_VERSION_NUMBER;  // 2001005 is 2.1.5
  return formatted("libjpeg-turbo %d.%d.%d", kVersion / 1000000, kVersion / 1000 % 1000, kVersion % 1000);
}

}  // namespace diopter
