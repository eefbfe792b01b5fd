#include "data/pictures/formats/tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
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
  explicit Tiff(std::string_view bytes) : bytes_(bytes) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), take_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, this);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), limits::memory(static_cast<std::int64_t>(bytes.size())));
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

  Image decode(int white) {
    const Layout layout = this->layout();
    const Levels levels = levels_of(layout, white);
    Image image{layout.width, layout.height, std::vector<std::uint8_t>(std::size_t{3} * layout.width * layout.height)};
    const std::int64_t bytes = part_bytes(layout);
    DIOPTER_CHECK(bytes >= 1, "cannot be decoded (a TIFF file with empty strips or tiles)");
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(bytes));
    const int planes = layout.planes ? 1 + *std::max_element(layout.channels.begin(), layout.channels.end()) : 1;
    for (int plane = 0; plane < planes; ++plane) {
      for_each_part(layout, [&](const Part& part) {
        read_part(layout, part, plane, buffer);
        put(layout, levels, part, plane, buffer.data(), image);
      });
    }
    image.more = has_another_page();
    return image;
  }

 private:
  template <class T>
  T number(std::uint32_t tag) {
    T value = 0;
    TIFFGetFieldDefaulted(file_.get(), tag, &value);
    return value;
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

  template <class Do>
  void for_each_part(const Layout& layout, const Do& with) {
    int width = layout.width, height = layout.height;
    if (layout.tiles) {
      width = side(TIFFTAG_TILEWIDTH);
      height = side(TIFFTAG_TILELENGTH);
    } else {
      height = std::min(height, side(TIFFTAG_ROWSPERSTRIP));
    }
    for (std::int64_t y = 0; y < layout.height; y += height) {
      for (std::int64_t x = 0; x < layout.width; x += width) {
        with({static_cast<int>(x), static_cast<int>(y),
              static_cast<int>(std::min<std::int64_t>(width, layout.width - x)),
              static_cast<int>(std::min<std::int64_t>(height, layout.height - y))});
      }
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

  void read_part(const Layout& layout, const Part& part, int plane, std::vector<std::uint8_t>& buffer) {
    const auto x = static_cast<std::uint32_t>(part.x), y = static_cast<std::uint32_t>(part.y);
    const auto of_plane = static_cast<std::uint16_t>(plane);
    const std::int64_t wanted = layout.tiles ? static_cast<std::int64_t>(buffer.size())
                                             : std::min<std::int64_t>(row_bytes(layout) * part.height,
                                                                      static_cast<std::int64_t>(buffer.size()));
    const std::int64_t count = layout.tiles
                                   ? TIFFReadEncodedTile(file_.get(), TIFFComputeTile(file_.get(), x, y, 0, of_plane),
                                                         buffer.data(), static_cast<tmsize_t>(wanted))
                                   : TIFFReadEncodedStrip(file_.get(), TIFFComputeStrip(file_.get(), y, of_plane),
                                                          buffer.data(), static_cast<tmsize_t>(wanted));
    check_error();
    DIOPTER_CHECK(count == wanted, "the file is truncated");
  }

  /// The part's samples of a plane, into the picture.
  void put(const Layout& layout, const Levels& levels, const Part& part, int plane, const std::uint8_t* rows,
           Image& image) {
    const std::int64_t stride = row_bytes(layout);
    const std::size_t step = layout.planes ? 1 : static_cast<std::size_t>(layout.samples);
    DIOPTER_CHECK(stride * 8 >= static_cast<std::int64_t>(step) * layout.bits * part.width,
                  "cannot be decoded (rows that are too short)");
    for (std::size_t c = 0; c < 3; ++c) {
      const int channel = layout.channels[c];
      if (layout.planes && channel != plane) continue;
      const std::size_t first = layout.planes ? 0 : static_cast<std::size_t>(channel);
      for (int y = 0; y < part.height; ++y) {
        const std::uint8_t* row = rows + stride * y;
        std::uint8_t* out = image.pixel(part.x, part.y + y) + c;
        for (int x = 0; x < part.width; ++x, out += 3) {
          const int value = sample(row, layout.bits, first + step * static_cast<std::size_t>(x));
          *out = levels[c][static_cast<std::size_t>(value)];
          if (layout.deep()) {
            const bool inverted = layout.photometric == PHOTOMETRIC_MINISWHITE;
            image.greatest = std::max(image.greatest, inverted ? layout.greatest() - value : value);
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
    const std::size_t left = tiff.bytes_.size() - std::min(tiff.position_, tiff.bytes_.size());
    const std::size_t taken = std::min(left, static_cast<std::size_t>(std::max<tmsize_t>(count, 0)));
    if (taken > 0) std::memcpy(target, tiff.bytes_.data() + tiff.position_, taken);
    tiff.position_ += taken;
    return static_cast<tmsize_t>(taken);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t user, toff_t offset, int from) {
    Tiff& tiff = of(user);
    const std::size_t base = from == SEEK_CUR ? tiff.position_ : from == SEEK_END ? tiff.bytes_.size() : 0;
    return tiff.position_ = base + offset;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t user) { return of(user).bytes_.size(); }
  static int map(thandle_t, void**, toff_t*) { return 0; }
  static void unmap(thandle_t, void*, toff_t) {}

  std::string_view bytes_;
  std::size_t position_ = 0;
  std::array<char, 200> error_{};  // libtiff's first, "" while there is none
  std::unique_ptr<TIFF, void (*)(TIFF*)> file_{nullptr, TIFFClose};
};

}  // namespace

PictureHeader tiff_header(std::string_view bytes) {
  constexpr std::int64_t kOfCodec = 3;  // a JPEG part's coefficients, the bytes of a compressed part
  Tiff tiff(bytes);
  const Layout layout = tiff.layout();
  const std::int64_t part = tiff.part_bytes(layout);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / (1 + kOfCodec);
  return {layout.width, layout.height, (1 + kOfCodec) * std::clamp<std::int64_t>(part, 0, kMost), layout.deep()};
}

Image decode_tiff(std::string_view bytes, int white) { return Tiff(bytes).decode(white); }

int tiff_page_orientation(std::string_view bytes) { return Tiff(bytes).orientation(); }

std::string tiff_library() {
  const std::string text = TIFFGetVersion();  // "LIBTIFF, Version 4.5.0", and a copyright in further lines
  const std::size_t space = text.find_last_of(' ', text.find('\n'));
  return "libtiff " + text.substr(space + 1, text.find('\n') - space - 1);
}

}  // namespace diopter
