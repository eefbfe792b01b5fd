#include "data/pictures/formats/tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/limits.h"

namespace diopter {
namespace {

constexpr int kMostBits = 16;  // of a sample
constexpr std::uint16_t kCompressions[] = {COMPRESSION_NONE,     COMPRESSION_LZW,           COMPRESSION_DEFLATE,
                                           COMPRESSION_PACKBITS, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_JPEG,
                                           COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3,     COMPRESSION_CCITTFAX4};

/// What the first page's directory says of its samples.
struct Layout {
  int width, height;
  int bits;     // of a sample
  int samples;  // of a pixel
  bool tiles, planes;
  bool compressed;
  std::uint16_t photometric;
  std::array<int, 3> channels;  // red, green and blue

  bool deep() const { return bits > 8; }
  int greatest() const { return (1 << bits) - 1; }
};

/// A strip or a tile: the part of the picture that it covers.
struct Part {
  int x, y, width, height;
};

/// What each value of a sample is in red, green and blue.
using Levels = std::array<std::vector<std::uint8_t>, 3>;

/// The file's reader at its first page.
class Tiff {
 public:
  /// The bytes must stay.
  explicit Tiff(const ByteSource& bytes) : bytes_(bytes) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), take_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, this);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), limits::memory(bytes.size()));
    file_.reset(TIFFClientOpenExt("", "r", this, read, write, seek, close, size, map, unmap, options.get()));
    DIOPTER_CHECK(file_, "cannot be decoded (its TIFF directory cannot be read; the file may be truncated)");
  }

  Layout layout() {
    DIOPTER_CHECK(number<std::uint16_t>(TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_UINT ||
                      number<std::uint16_t>(TIFFTAG_SAMPLEFORMAT) == SAMPLEFORMAT_VOID,
                  "cannot be decoded (TIFF samples that are signed or floating-point numbers)");
    const auto compression = number<std::uint16_t>(TIFFTAG_COMPRESSION);
    const bool known = std::count(std::begin(kCompressions), std::end(kCompressions), compression) > 0;
    const TIFFCodec* codec = TIFFFindCODEC(compression);
    DIOPTER_CHECK(known && TIFFIsCODECConfigured(compression), "cannot be decoded (a TIFF file with compression ",
                  compression, codec ? ", " : "", codec ? codec->name : "", ")");
    Layout layout{};
    const auto width = number<std::uint32_t>(TIFFTAG_IMAGEWIDTH), height = number<std::uint32_t>(TIFFTAG_IMAGELENGTH);
    constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
    DIOPTER_CHECK(width >= 1 && height >= 1 && width <= kMost && height <= kMost, "cannot be decoded (a size of ",
                  width, "x", height, ")");
    layout.width = static_cast<int>(width);
    layout.height = static_cast<int>(height);
    layout.bits = number<std::uint16_t>(TIFFTAG_BITSPERSAMPLE);
    DIOPTER_CHECK(layout.bits >= 1 && layout.bits <= kMostBits, "cannot be decoded (TIFF samples of ", layout.bits,
                  " bits)");
    layout.compressed = compression != COMPRESSION_NONE;
    layout.samples = number<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
    layout.tiles = TIFFIsTiled(file_.get()) != 0;
    layout.planes = number<std::uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE && layout.samples > 1;
    layout.photometric = layout.samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    TIFFGetField(file_.get(), TIFFTAG_PHOTOMETRIC, &layout.photometric);
    if (layout.photometric == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG && !layout.planes) {
      TIFFSetField(file_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      layout.photometric = PHOTOMETRIC_RGB;
    }
    const bool grey = layout.photometric == PHOTOMETRIC_MINISBLACK || layout.photometric == PHOTOMETRIC_MINISWHITE;
    const bool palette = layout.photometric == PHOTOMETRIC_PALETTE;
    DIOPTER_CHECK(grey || layout.photometric == PHOTOMETRIC_RGB || (palette && !layout.deep()),
                  "cannot be decoded (TIFF colours of the kind ", layout.photometric, " with ", layout.bits, " bits)");
    DIOPTER_CHECK(layout.samples >= (layout.photometric == PHOTOMETRIC_RGB ? 3 : 1), "cannot be decoded (",
                  layout.samples, " TIFF samples a pixel)");
    if (layout.samples >= 3 && !palette) layout.channels = {0, 1, 2};
    return layout;
  }

  /// Bytes of a strip or a tile, of one plane where there are several.
  std::int64_t part_bytes(const Layout& layout) {
    return static_cast<std::int64_t>(layout.tiles ? TIFFTileSize64(file_.get()) : TIFFStripSize64(file_.get()));
  }

  int orientation() {
    const int stated = number<std::uint16_t>(TIFFTAG_ORIENTATION);
    return stated >= ORIENTATION_TOPLEFT && stated <= ORIENTATION_LEFTBOT ? stated : ORIENTATION_TOPLEFT;
  }

  /// Rows that are decoded together: those of a row of tiles, of a strip, or of a part of an uncompressed strip, which
  /// may be the whole picture.
  struct Band {
    int begin, end;
  };
  Band band_of(const Layout& layout, int y) {
    constexpr int kRows = 64;
    const int stored = layout.tiles ? side(TIFFTAG_TILELENGTH) : std::min(layout.height, side(TIFFTAG_ROWSPERSTRIP));
    const int strip = y / stored * stored,
              strip_end = static_cast<int>(std::min<std::int64_t>(std::int64_t{strip} + stored, layout.height));
    if (layout.tiles || layout.compressed) return {strip, strip_end};
    const int begin = strip + (y - strip) / kRows * kRows;
    return {begin, std::min(begin + kRows, strip_end)};
  }

  /// Decodes a band into rgb [rows, width, 3]; raises `greatest` to its greatest sample.
  void decode(const Layout& layout, const Levels& levels, const Band& band, std::uint8_t* rgb, int& greatest) {
    const int planes = layout.planes ? 1 + *std::max_element(layout.channels.begin(), layout.channels.end()) : 1;
    for (int plane = 0; plane < planes; ++plane) {
      for_each_part(layout, band, [&](const Part& part) {
        read_part(layout, part, plane);
        put(layout, levels, part, plane, rgb + std::size_t{3} * part.x, greatest);
      });
    }
  }

  Levels levels_of(const Layout& layout, int white) {
    const std::size_t count = static_cast<std::size_t>(layout.greatest()) + 1;
    Levels levels;
    if (layout.photometric == PHOTOMETRIC_PALETTE) {
      std::array<std::uint16_t*, 3> map{};
      DIOPTER_CHECK(TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]),
                    "cannot be decoded (a palette that is missing)");
      // Entries have 16 bits, but some programs write 8.
      const bool narrow = std::all_of(map.begin(), map.end(), [&](const std::uint16_t* of) {
        return std::all_of(of, of + count, [](int entry) { return entry < 256; });
      });
      for (std::size_t c = 0; c < 3; ++c) {
        for (std::size_t v = 0; v < count; ++v) {
          levels[c].push_back(static_cast<std::uint8_t>(narrow ? map[c][v] : map[c][v] >> 8));
        }
      }
      return levels;
    }
    const int greatest = layout.greatest();
    for (std::size_t v = 0; v < count; ++v) {
      const int light =
          layout.photometric == PHOTOMETRIC_MINISWHITE ? greatest - static_cast<int>(v) : static_cast<int>(v);
      levels[0].push_back(layout.deep() ? eight_bits(light, white == kFullRange ? greatest : white)
                                        : static_cast<std::uint8_t>(255 * light / greatest));
    }
    levels[1] = levels[2] = levels[0];
    return levels;
  }

  /// Whether a page comes after the first one that is neither a smaller copy nor a mask.
  bool has_another_page() {
    constexpr int kMostDirectories = 64;
    for (int i = 0; i < kMostDirectories && TIFFReadDirectory(file_.get()) == 1; ++i) {
      std::uint32_t kind = 0;
      if (!TIFFGetField(file_.get(), TIFFTAG_SUBFILETYPE, &kind)) return true;
      if ((kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) return true;
    }
    return false;
  }

 private:
  template <class T>
  T number(std::uint32_t tag) {
    T value = 0;
    TIFFGetFieldDefaulted(file_.get(), tag, &value);
    return value;
  }

  template <class Do>
  void for_each_part(const Layout& layout, const Band& band, const Do& with) {
    const int width = layout.tiles ? side(TIFFTAG_TILEWIDTH) : layout.width;
    for (std::int64_t x = 0; x < layout.width; x += width) {
      with({static_cast<int>(x), band.begin, static_cast<int>(std::min<std::int64_t>(width, layout.width - x)),
            band.end - band.begin});
    }
  }

  int side(std::uint32_t tag) {
    constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
    const auto stated = number<std::uint32_t>(tag);
    DIOPTER_CHECK(stated >= 1, "cannot be decoded (a TIFF file with empty strips or tiles)");
    return static_cast<int>(std::min(stated, kMost));
  }

  std::int64_t row_bytes(const Layout& layout) {
    return static_cast<std::int64_t>(layout.tiles ? TIFFTileRowSize64(file_.get()) : TIFFScanlineSize64(file_.get()));
  }

  /// Into buffer_.
  void read_part(const Layout& layout, const Part& part, int plane) {
    const auto x = static_cast<std::uint32_t>(part.x), y = static_cast<std::uint32_t>(part.y);
    const auto of_plane = static_cast<std::uint16_t>(plane);
    if (!layout.tiles && !layout.compressed)
      return read_stored_rows(layout, part, TIFFComputeStrip(file_.get(), y, of_plane));
    const std::int64_t bytes = part_bytes(layout);
    DIOPTER_CHECK(bytes >= 1, "cannot be decoded (a TIFF file with empty strips or tiles)");
    buffer_.resize(static_cast<std::size_t>(bytes));
    const std::int64_t wanted = layout.tiles ? bytes : std::min(row_bytes(layout) * part.height, bytes);
    const std::int64_t count = layout.tiles
                                   ? TIFFReadEncodedTile(file_.get(), TIFFComputeTile(file_.get(), x, y, 0, of_plane),
                                                         buffer_.data(), static_cast<tmsize_t>(wanted))
                                   : TIFFReadEncodedStrip(file_.get(), TIFFComputeStrip(file_.get(), y, of_plane),
                                                          buffer_.data(), static_cast<tmsize_t>(wanted));
    check_error();
    DIOPTER_CHECK(count == wanted, "the file is truncated");
  }

  /// Rows of an uncompressed strip, into buffer_: libtiff would read all of it.
  void read_stored_rows(const Layout& layout, const Part& part, std::uint32_t strip) {
    const std::int64_t stride = row_bytes(layout), of_rows = stride * part.height;
    const std::int64_t skipped = stride * (part.y % std::min(layout.height, side(TIFFTAG_ROWSPERSTRIP)));
    const auto offset = static_cast<std::int64_t>(TIFFGetStrileOffset(file_.get(), strip));
    const auto bytes = static_cast<std::int64_t>(TIFFGetStrileByteCount(file_.get(), strip));
    check_error();
    DIOPTER_CHECK(of_rows >= 1 && of_rows <= limits::memory(bytes_.size()),
                  "cannot be decoded (a TIFF file with empty strips or tiles)");
    buffer_.resize(static_cast<std::size_t>(of_rows));
    const bool there = skipped + of_rows <= bytes && bytes <= bytes_.size() && offset <= bytes_.size() - bytes;
    DIOPTER_CHECK(there && bytes_.read(offset + skipped, buffer_.data(), buffer_.size()) == buffer_.size(),
                  "the file is truncated");
    if (number<std::uint16_t>(TIFFTAG_FILLORDER) == FILLORDER_LSB2MSB) TIFFReverseBits(buffer_.data(), of_rows);
    if (layout.bits == 16 && TIFFIsByteSwapped(file_.get())) {
      for (std::size_t i = 0; i + 1 < buffer_.size(); i += 2) std::swap(buffer_[i], buffer_[i + 1]);
    }
  }

  /// The part's samples of a plane in buffer_, into rgb, whose rows are those of the picture.
  void put(const Layout& layout, const Levels& levels, const Part& part, int plane, std::uint8_t* rgb, int& greatest) {
    const std::int64_t stride = row_bytes(layout);
    const std::size_t step = layout.planes ? 1 : static_cast<std::size_t>(layout.samples);
    DIOPTER_CHECK(stride * 8 >= static_cast<std::int64_t>(step) * layout.bits * part.width,
                  "cannot be decoded (rows that are too short)");
    for (std::size_t c = 0; c < 3; ++c) {
      const int channel = layout.channels[c];
      if (layout.planes && channel != plane) continue;
      const std::size_t first = layout.planes ? 0 : static_cast<std::size_t>(channel);
      for (int y = 0; y < part.height; ++y) {
        const std::uint8_t* row = buffer_.data() + stride * y;
        std::uint8_t* out = rgb + std::size_t{3} * layout.width * y + c;
        for (int x = 0; x < part.width; ++x, out += 3) {
          const int value = sample(row, layout.bits, first + step * static_cast<std::size_t>(x));
          *out = levels[c][static_cast<std::size_t>(value)];
          if (layout.deep()) {
            const bool inverted = layout.photometric == PHOTOMETRIC_MINISWHITE;
            greatest = std::max(greatest, inverted ? layout.greatest() - value : value);
          }
        }
      }
    }
  }

  /// Sample i of a row; libtiff has brought those of 16 bits into the machine's byte order, others lie bit after bit.
  static int sample(const std::uint8_t* row, int bits, std::size_t i) {
    if (bits == 8) return row[i];
    if (bits == 16) {
      std::uint16_t value;
      std::memcpy(&value, row + 2 * i, sizeof value);
      return value;
    }
    int value = 0;
    for (std::size_t bit = i * static_cast<std::size_t>(bits), end = bit + static_cast<std::size_t>(bits); bit < end;
         ++bit) {
      value = value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1);
    }
    return value;
  }

  void check_error() const { DIOPTER_CHECK(!error_[0], "cannot be decoded (", error_.data(), ")"); }

  // libtiff's view of the bytes.
  static Tiff& of(void* user) { return *static_cast<Tiff*>(user); }
  static int take_error(TIFF*, void* user, const char*, const char* pattern, va_list values) {
    Tiff& tiff = of(user);
    if (!tiff.error_[0]) std::vsnprintf(tiff.error_.data(), tiff.error_.size(), pattern, values);
    return 1;  // nobody else is told
  }
  static int ignore_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }
  static tmsize_t read(thandle_t user, void* target, tmsize_t count) {
    Tiff& tiff = of(user);
    const std::size_t taken =
        tiff.bytes_.read(tiff.position_, target, static_cast<std::size_t>(std::max<tmsize_t>(count, 0)));
    tiff.position_ += static_cast<std::int64_t>(taken);
    return static_cast<tmsize_t>(taken);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t user, toff_t offset, int from) {
    Tiff& tiff = of(user);
    const std::int64_t base = from == SEEK_CUR ? tiff.position_ : from == SEEK_END ? tiff.bytes_.size() : 0;
    tiff.position_ = base + static_cast<std::int64_t>(offset);
    return static_cast<toff_t>(tiff.position_);
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t user) { return static_cast<toff_t>(of(user).bytes_.size()); }
  static int map(thandle_t, void**, toff_t*) { return 0; }
  static void unmap(thandle_t, void*, toff_t) {}

  const ByteSource& bytes_;
  std::int64_t position_ = 0;
  std::vector<std::uint8_t> buffer_;  // a part, as libtiff decodes it
  std::array<char, 200> error_{};     // libtiff's first, "" while there is none
  std::unique_ptr<TIFF, void (*)(TIFF*)> file_{nullptr, TIFFClose};
};

class TiffRows final : public PictureRows {
 public:
  TiffRows(std::unique_ptr<Tiff> tiff, const Layout& layout, int white, bool more)
      : PictureRows(layout.width, layout.height),
        tiff_(std::move(tiff)),
        layout_(layout),
        levels_(tiff_->levels_of(layout, white)) {
    more_ = more;
  }

 private:
  void decode(int y, int count, std::uint8_t* rgb) override {
    const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(width());
    for (const int end = y + count; y < end;) {
      const Tiff::Band band = tiff_->band_of(layout_, y);
      if (band.begin == y && band.end <= end) {
        tiff_->decode(layout_, levels_, band, rgb, greatest_);
      } else {
        keep(band);
        std::copy_n(kept_.data() + stride * static_cast<std::size_t>(y - band.begin),
                    stride * static_cast<std::size_t>(std::min(end, band.end) - y), rgb);
      }
      rgb += stride * static_cast<std::size_t>(std::min(end, band.end) - y);
      y = std::min(end, band.end);
    }
  }

  /// Decodes a band of which only a part is wanted now, if that was not done already.
  void keep(const Tiff::Band& band) {
    if (band.end == kept_end_) return;
    kept_.resize(std::size_t{3} * static_cast<std::size_t>(width()) * static_cast<std::size_t>(band.end - band.begin));
    kept_end_ = 0;
    tiff_->decode(layout_, levels_, band, kept_.data(), greatest_);
    kept_end_ = band.end;
  }

  std::unique_ptr<Tiff> tiff_;
  Layout layout_;
  Levels levels_;
  std::vector<std::uint8_t> kept_;  // a band, as RGB
  int kept_end_ = 0;                // its last row + 1
};

}  // namespace

FirstLook look_at_tiff(const ByteSource& bytes) {
  constexpr std::int64_t kOfCodec = 3;  // a JPEG part's coefficients, the bytes of a compressed part
  Tiff tiff(bytes);
  const Layout layout = tiff.layout();
  const std::int64_t part = tiff.part_bytes(layout);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 2 / (1 + kOfCodec);  // more can be added
  const std::int64_t memory =
      layout.tiles || layout.compressed ? (1 + kOfCodec) * std::clamp<std::int64_t>(part, 0, kMost) : 0;
  return {{layout.width, layout.height, memory, layout.deep(), true}, tiff.orientation()};
}

std::unique_ptr<PictureRows> tiff_rows(const ByteSource& bytes, int white) {
  const bool more = Tiff(bytes).has_another_page();
  auto tiff = std::make_unique<Tiff>(bytes);
  const Layout layout = tiff->layout();
  return std::make_unique<TiffRows>(std::move(tiff), layout, white, more);
}

std::string tiff_library() {
  const std::string text = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0", and a copyright in further lines
  const std::size_t space = text.find_last_of(' ', text.find('\n'));
  return "libtiff " + text.substr(space + 1, text.find('\n') - space - 1);
}

}  // namespace diopter
