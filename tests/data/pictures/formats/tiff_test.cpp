#include "data/pictures/formats/tiff.h"

#include <tiffio.h>

#include <cstdlib>
#include <functional>
#include <memory>

#include "data/pictures/orientation.h"
#include "tests/data/pictures/formats/check_parts.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

constexpr int kTiffWidth = 21, kTiffHeight = 18;  // two columns and two rows of tiles

/// How the tests' file is written; by default 8-bit RGB in strips of five rows, uncompressed.
struct Kind {
  int bits = 8, samples = 3;
  int photometric = PHOTOMETRIC_RGB, compression = COMPRESSION_NONE;
  bool planes = false, tiles = false;
  const char* mode = "w";  // "wb" and "wl" choose the byte order, "w8" is BigTIFF
  int predictor = 1, orientation = 0, pages = 1, format = SAMPLEFORMAT_UINT;
  int rows = 5;  // of a strip
};

int stored(int x, int y, int c, int bits) { return (x * 3671 + y * 10007 + c * 20011) % (1 << bits); }

/// Samples of pixels (x, y) to (x + width, y + height) as they lie in a strip or tile.
std::string packed(const Kind& kind, int x0, int y0, int width, int height, int plane) {
  std::string bytes;
  for (int y = y0; y < y0 + height; ++y) {
    int bit = 0;
    for (int x = x0; x < x0 + width; ++x) {
      for (int c = kind.planes ? plane : 0; c < (kind.planes ? plane + 1 : kind.samples); ++c) {
        const int value = x < kTiffWidth && y < kTiffHeight ? stored(x, y, c, kind.bits) : 0;
        if (kind.bits == 16) {
          const auto sample = static_cast<std::uint16_t>(value);
          bytes.append(reinterpret_cast<const char*>(&sample), sizeof sample);
          continue;
        }
        for (int b = kind.bits - 1; b >= 0; --b, ++bit) {
          if (bit % 8 == 0) bytes += '\0';
          bytes.back() = static_cast<char>(bytes.back() | (value >> b & 1) << (7 - bit % 8));
        }
      }
    }
  }
  return bytes;
}

void write_page(TIFF* file, const Kind& kind) {
  constexpr int kTile = 16;
  TIFFSetField(file, TIFFTAG_IMAGEWIDTH, kTiffWidth);
  TIFFSetField(file, TIFFTAG_IMAGELENGTH, kTiffHeight);
  TIFFSetField(file, TIFFTAG_BITSPERSAMPLE, kind.bits);
  TIFFSetField(file, TIFFTAG_SAMPLESPERPIXEL, kind.samples);
  TIFFSetField(file, TIFFTAG_PHOTOMETRIC, kind.photometric);
  TIFFSetField(file, TIFFTAG_COMPRESSION, kind.compression);
  TIFFSetField(file, TIFFTAG_SAMPLEFORMAT, kind.format);
  TIFFSetField(file, TIFFTAG_PLANARCONFIG, kind.planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  if (kind.predictor != 1) TIFFSetField(file, TIFFTAG_PREDICTOR, kind.predictor);
  if (kind.orientation) TIFFSetField(file, TIFFTAG_ORIENTATION, kind.orientation);
  if (kind.photometric == PHOTOMETRIC_PALETTE) {
    std::vector<std::uint16_t> maps[3];
    for (int c = 0; c < 3; ++c) {
      for (int v = 0; v < 1 << kind.bits; ++v) maps[c].push_back(static_cast<std::uint16_t>((v * 17 + c) % 256 * 257));
    }
    TIFFSetField(file, TIFFTAG_COLORMAP, maps[0].data(), maps[1].data(), maps[2].data());
  }
  const int planes = kind.planes ? kind.samples : 1;
  if (kind.tiles) {
    TIFFSetField(file, TIFFTAG_TILEWIDTH, kTile);
    TIFFSetField(file, TIFFTAG_TILELENGTH, kTile);
    std::uint32_t tile = 0;
    for (int plane = 0; plane < planes; ++plane) {
      for (int y = 0; y < kTiffHeight; y += kTile) {
        for (int x = 0; x < kTiffWidth; x += kTile) {
          std::string bytes = packed(kind, x, y, kTile, kTile, plane);
          TIFFWriteEncodedTile(file, tile++, bytes.data(), static_cast<tmsize_t>(bytes.size()));
        }
      }
    }
  } else {
    TIFFSetField(file, TIFFTAG_ROWSPERSTRIP, kind.rows);
    std::uint32_t strip = 0;
    for (int plane = 0; plane < planes; ++plane) {
      for (int y = 0; y < kTiffHeight; y += kind.rows) {
        std::string bytes = packed(kind, 0, y, kTiffWidth, std::min(kind.rows, kTiffHeight - y), plane);
        TIFFWriteEncodedStrip(file, strip++, bytes.data(), static_cast<tmsize_t>(bytes.size()));
      }
    }
  }
}

std::string make_tiff(const Kind& kind) {
  const TemporaryFolder folder;
  TIFF* file = TIFFOpen(folder.path("a.tif").c_str(), kind.mode);
  REQUIRE(file);
  for (int page = 0; page < kind.pages; ++page) {
    write_page(file, kind);
    TIFFWriteDirectory(file);
  }
  TIFFClose(file);
  return read_bytes(folder.path("a.tif"));
}

/// Compares each pixel of the file's picture with level(x, y, channel).
void check_picture(const Kind& kind, const std::function<int(int, int, int)>& level, int white = kFullRange) {
  const Image image = decode_image(make_tiff(kind), white);
  REQUIRE(std::pair(image.width, image.height) == std::pair(kTiffWidth, kTiffHeight));
  for (int y = 0; y < kTiffHeight; ++y) {
    for (int x = 0; x < kTiffWidth; ++x) {
      for (int c = 0; c < 3; ++c) {
        INFO("(" << x << ", " << y << ") channel " << c);
        REQUIRE(int{image.pixel(x, y)[c]} == level(x, y, c));
      }
    }
  }
}

}  // namespace

TEST_CASE("TIFF: strips and tiles, channels together and in planes, every compression") {
  const auto level = [](int x, int y, int c) { return stored(x, y, c, 8); };
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
    for (const bool planes : {false, true}) {
      for (const bool tiles : {false, true}) {
        for (const int samples : {3, 4, 5}) {  // with alpha, with further bands
          INFO(compression << " planes " << planes << " tiles " << tiles << " samples " << samples);
          check_picture({.samples = samples, .compression = compression, .planes = planes, .tiles = tiles}, level);
        }
      }
    }
  }
  check_picture({.compression = COMPRESSION_LZW, .predictor = 2}, level);
  for (const char* mode : {"wb", "wl", "w8"}) check_picture({.mode = mode}, level);
}

TEST_CASE("TIFF: grey and palettes of every depth, white on 0 or on the greatest value") {
  for (const int bits : {1, 2, 4, 8}) {
    const int greatest = (1 << bits) - 1;
    for (const bool tiles : {false, true}) {
      INFO(bits << " bits, tiles " << tiles);
      const auto grey = [&](int x, int y, int) { return 255 * stored(x, y, 0, bits) / greatest; };
      const auto inverted = [&](int x, int y, int) { return 255 * (greatest - stored(x, y, 0, bits)) / greatest; };
      const auto palette = [&](int x, int y, int c) { return (stored(x, y, 0, bits) * 17 + c) % 256; };
      Kind kind{.bits = bits, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .tiles = tiles};
      check_picture(kind, grey);
      kind.photometric = PHOTOMETRIC_MINISWHITE;
      check_picture(kind, inverted);
      kind.photometric = PHOTOMETRIC_PALETTE;
      check_picture(kind, palette);
    }
  }
  const auto grey = [](int x, int y, int) { return stored(x, y, 0, 8); };
  check_picture({.samples = 2, .photometric = PHOTOMETRIC_MINISBLACK}, grey);
  check_picture({.samples = 2, .photometric = PHOTOMETRIC_MINISBLACK, .planes = true}, grey);
  check_picture({.samples = 4, .photometric = PHOTOMETRIC_MINISBLACK},
                [](int x, int y, int c) { return stored(x, y, c, 8); });
}

TEST_CASE("TIFF: samples of more than 8 bits by what is white") {
  for (const bool planes : {false, true}) {
    for (const char* mode : {"wb", "wl"}) {
      const Kind kind{.bits = 16, .planes = planes, .mode = mode};
      check_picture(kind, [](int x, int y, int c) { return stored(x, y, c, 16) >> 8; });
      check_picture(
          kind, [](int x, int y, int c) { return std::min(255, stored(x, y, c, 16) >> 4); }, 4095);
    }
  }
  const Kind grey{.bits = 12, .samples = 1, .photometric = PHOTOMETRIC_MINISBLACK, .compression = COMPRESSION_LZW};
  check_picture(grey, [](int x, int y, int) { return stored(x, y, 0, 12) >> 4; });
  int most = 0;
  for (int i = 0; i < kTiffWidth * kTiffHeight; ++i)
    most = std::max(most, stored(i % kTiffWidth, i / kTiffWidth, 0, 12));
  CHECK(decode_image(make_tiff(grey)).greatest == most);
  CHECK(decode_image(make_tiff({})).greatest == 0);
  Kind inverted{.bits = 16, .samples = 1, .photometric = PHOTOMETRIC_MINISWHITE};
  check_picture(inverted, [](int x, int y, int) { return (65535 - stored(x, y, 0, 16)) >> 8; });
  int least = 65535;
  for (int i = 0; i < kTiffWidth * kTiffHeight; ++i)
    least = std::min(least, stored(i % kTiffWidth, i / kTiffWidth, 0, 16));
  CHECK(decode_image(make_tiff(inverted)).greatest == 65535 - least);
}

TEST_CASE("TIFF: pages are turned upright, and further ones are noticed") {
  const Image flat = decode_image(make_tiff({}));
  CHECK_FALSE(flat.more);
  const TemporaryFolder folder;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string bytes = make_tiff({.tiles = true, .orientation = orientation});
    const Image image = decode_image(bytes);
    CHECK(image.rgb == turn_upright(flat, orientation).rgb);
    int width = 0, height = 0;
    read_image_size(folder.write("a.tif", bytes), width, height);
    CHECK(std::pair(width, height) == std::pair(image.width, image.height));
    CHECK((width == kTiffHeight) == (orientation >= 5));
  }
  CHECK(decode_image(make_tiff({.pages = 2})).more);
  CHECK(decode_image(make_tiff({.pages = 2})).rgb == flat.rgb);
}

TEST_CASE("TIFF: a JPEG inside") {
  const TemporaryFolder folder;
  const std::string name = folder.path("a.tif");
  TIFF* file = TIFFOpen(name.c_str(), "w");
  for (const auto& [tag, value] :
       {std::pair(TIFFTAG_IMAGEWIDTH, 32), std::pair(TIFFTAG_IMAGELENGTH, 24), std::pair(TIFFTAG_BITSPERSAMPLE, 8),
        std::pair(TIFFTAG_SAMPLESPERPIXEL, 3), std::pair(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_YCBCR),
        std::pair(TIFFTAG_COMPRESSION, COMPRESSION_JPEG), std::pair(TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB),
        std::pair(TIFFTAG_ROWSPERSTRIP, 16)}) {
    TIFFSetField(file, static_cast<std::uint32_t>(tag), value);
  }
  for (std::uint32_t y = 0; y < 24; ++y) {
    std::string row;
    for (int x = 0; x < 32; ++x) row += "\xC8\x64\x32";
    TIFFWriteScanline(file, row.data(), y, 0);
  }
  TIFFClose(file);
  const Image image = read_image(name);
  REQUIRE(image.rgb.size() == std::size_t{3} * 32 * 24);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    CHECK(std::abs(image.rgb[i] - (i % 3 == 0 ? 200 : i % 3 == 1 ? 100 : 50)) <= 3);
}

TEST_CASE("TIFF: parts of pictures") {
  const TemporaryFolder folder;
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW}) {
    for (const int bits : {8, 12, 16}) {
      for (const bool planes : {false, true}) {
        for (const int rows : {1, 5, kTiffHeight}) {
          const Kind strips{.bits = bits, .compression = compression, .planes = planes, .mode = "wb", .rows = rows};
          check_parts(folder.write("a.tif", make_tiff(strips)), true, bits == 16 ? 4095 : kFullRange);
        }
        check_parts(folder.write(
            "a.tif",
            make_tiff({.bits = bits, .compression = compression, .planes = planes, .tiles = true, .pages = 2})));
      }
    }
  }
  check_parts(folder.write("a.tif", make_tiff({.orientation = 3})), false);
}

TEST_CASE("TIFF: one uncompressed strip of many rows is read in parts") {
  constexpr int kTall = 200, kBroad = 7;
  const TemporaryFolder folder;
  for (const char* mode : {"wb", "wl"}) {
    for (const int order : {FILLORDER_MSB2LSB, FILLORDER_LSB2MSB}) {
      TIFF* file = TIFFOpen(folder.path("a.tif").c_str(), mode);
      for (const auto& [tag, value] : {std::pair(TIFFTAG_IMAGEWIDTH, kBroad), std::pair(TIFFTAG_IMAGELENGTH, kTall),
                                       std::pair(TIFFTAG_BITSPERSAMPLE, 16), std::pair(TIFFTAG_SAMPLESPERPIXEL, 1),
                                       std::pair(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK),
                                       std::pair(TIFFTAG_FILLORDER, order), std::pair(TIFFTAG_ROWSPERSTRIP, kTall)}) {
        TIFFSetField(file, static_cast<std::uint32_t>(tag), value);
      }
      std::vector<std::uint16_t> samples;
      for (int y = 0; y < kTall; ++y) {
        for (int x = 0; x < kBroad; ++x) samples.push_back(static_cast<std::uint16_t>(stored(x, y, 0, 16)));
      }
      TIFFWriteEncodedStrip(file, 0, samples.data(), static_cast<tmsize_t>(2 * samples.size()));
      TIFFClose(file);
      const Image image = read_image(folder.path("a.tif"));
      for (int y = 0; y < kTall; ++y) {
        for (int x = 0; x < kBroad; ++x) REQUIRE(int{*image.pixel(x, y)} == stored(x, y, 0, 16) >> 8);
      }
      check_parts(folder.path("a.tif"));
    }
  }
}

TEST_CASE("TIFF: what is not read is refused in a line, damaged files too", "[thorough]") {
  const auto error = [](const Kind& kind) { return error_of([&] { decode_image(make_tiff(kind)); }); };
  CHECK(contains(error({.bits = 16, .format = SAMPLEFORMAT_INT}), "signed or floating-point"));
  CHECK(
      contains(error({.samples = 4, .photometric = PHOTOMETRIC_SEPARATED}), "TIFF colours of the kind 5 with 8 bits"));
  CHECK(contains(error_of([] { decode_image(std::string("II*\0\x08\0\0\0\0\0", 10)); }),
                 "cannot be decoded (its TIFF directory"));

  for (const Kind& kind : {Kind{.compression = COMPRESSION_LZW}, Kind{.bits = 16, .tiles = true},
                           Kind{.compression = COMPRESSION_ADOBE_DEFLATE, .planes = true}}) {
    const std::string whole = make_tiff(kind);
    const Image image = decode_image(whole);
    for (std::size_t length = 4; length < whole.size(); length += 7) {
      INFO(length);
      CHECK_FALSE(error_of([&] { decode_image(whole.substr(0, length)); }).empty());
    }
    for (std::size_t at = 4; at < whole.size(); ++at) {  // an error, or a picture
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      error_of([&] { decode_image(damaged); });
    }
  }
  // The strips' data end before their pixels do.
  std::string cut = make_tiff({.compression = COMPRESSION_LZW});
  std::fill(cut.begin() + 8, cut.begin() + 60, '\0');
  CHECK_FALSE(error_of([&] { decode_image(cut); }).empty());
}
