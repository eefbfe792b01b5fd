#include "data/pictures/formats/webp.h"

#include <webp/encode.h>

#include <cstdlib>
#include <memory>

#include "data/pictures/orientation.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Image picture(int width, int height, int shift = 0) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (const int v : {x * 5 + shift, y * 7, (x + y) * 3}) image.rgb.push_back(static_cast<std::uint8_t>(v));
    }
  }
  return image;
}

std::string taken(std::size_t size, std::uint8_t* bytes) {
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(bytes, WebPFree);
  REQUIRE(size > 0);
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string lossless(const Image& image) {
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeLosslessRGB(image.rgb.data(), image.width, image.height, 3 * image.width, &bytes);
  return taken(size, bytes);
}

std::string lossy(const Image& image) {
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeRGB(image.rgb.data(), image.width, image.height, 3 * image.width, 95, &bytes);
  return taken(size, bytes);
}

std::string little_endian(std::size_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

std::string chunk(const std::string& kind, const std::string& data) {
  return kind + little_endian(data.size(), 4) + data + std::string(data.size() % 2, '\0');
}

/// An extended file: a canvas and chunks. Flags: 2 animation, 8 EXIF, 16 alpha.
std::string extended(int flags, int width, int height, const std::string& chunks) {
  const std::string header = little_endian(static_cast<std::size_t>(flags), 4) +
                             little_endian(static_cast<std::size_t>(width - 1), 3) +
                             little_endian(static_cast<std::size_t>(height - 1), 3);
  const std::string body = "WEBP" + chunk("VP8X", header) + chunks;
  return "RIFF" + little_endian(body.size(), 4) + body;
}

/// The chunks of a file without its 12 bytes of header.
std::string chunks_of(const std::string& file) { return file.substr(12); }

/// A frame of an animation with its corner at (x, y), both even.
std::string frame(const Image& image, int x, int y) {
  const auto size = [](int value) { return little_endian(static_cast<std::size_t>(value), 3); };
  return chunk("ANMF", size(x / 2) + size(y / 2) + size(image.width - 1) + size(image.height - 1) + size(100) + '\0' +
                           chunks_of(lossless(image)));
}

}  // namespace

TEST_CASE("WebP: lossless files are what was written, lossy ones are close") {
  const Image image = picture(33, 20);
  CHECK(decode_image(lossless(image)).rgb == image.rgb);
  const Image close = decode_image(lossy(image));
  REQUIRE(close.rgb.size() == image.rgb.size());
  int sum = 0;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(close.rgb[i] - image.rgb[i]);
  CHECK(sum < 4 * static_cast<int>(image.rgb.size()));
}

TEST_CASE("WebP: transparency is dropped") {
  const Image image = picture(9, 7);
  std::vector<std::uint8_t> rgba;
  for (int i = 0; i < 9 * 7; ++i) {
    for (int c = 0; c < 3; ++c) rgba.push_back(image.rgb[static_cast<std::size_t>(3 * i + c)]);
    rgba.push_back(static_cast<std::uint8_t>(1 + 4 * i));
  }
  std::uint8_t* bytes = nullptr;
  const std::size_t size = WebPEncodeLosslessRGBA(rgba.data(), 9, 7, 4 * 9, &bytes);
  CHECK(decode_image(taken(size, bytes)).rgb == image.rgb);
}

TEST_CASE("WebP: of an animation the first frame, on black") {
  const Image first = picture(8, 6, 40), second = picture(10, 8, 90);
  const std::string animation = chunk("ANIM", std::string(6, '\0'));
  const Image image = decode_image(extended(2, 12, 10, animation + frame(first, 2, 4) + frame(second, 0, 0)));
  REQUIRE(std::pair(image.width, image.height) == std::pair(12, 10));
  CHECK(image.more);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 12; ++x) {
      const bool inside = x >= 2 && x < 10 && y >= 4;
      for (int c = 0; c < 3; ++c) CHECK(image.pixel(x, y)[c] == (inside ? first.pixel(x - 2, y - 4)[c] : 0));
    }
  }
  CHECK_FALSE(decode_image(extended(2, 8, 6, animation + frame(first, 0, 0))).more);
  CHECK_FALSE(error_of([&] { decode_image(extended(2, 8, 6, animation)); }).empty());
}

TEST_CASE("WebP: turned upright by its EXIF chunk, wherever it stands") {
  const Image image = picture(9, 5);
  const TemporaryFolder folder;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    std::string exif("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0", 26);
    exif[18] = static_cast<char>(orientation);
    for (const std::string& start : {std::string(), std::string("Exif\0\0", 6)}) {
      const std::string bytes = extended(8, 9, 5, chunks_of(lossless(image)) + chunk("EXIF", start + exif));
      CHECK(decode_image(bytes).rgb == turn_upright(image, orientation).rgb);
      int width = 0, height = 0;
      read_image_size(folder.write("a.webp", bytes), width, height);
      CHECK((width == 5) == (orientation >= 5));
    }
  }
  // Beyond the bytes that are looked at first.
  std::string exif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26);
  const std::string far =
      extended(8, 9, 5, chunks_of(lossless(image)) + chunk("junk", std::string(200001, 'x')) + chunk("EXIF", exif));
  int width = 0, height = 0;
  read_image_size(folder.write("far.webp", far), width, height);
  CHECK(std::pair(width, height) == std::pair(5, 9));
}

TEST_CASE("WebP: truncated and damaged files are errors") {
  for (const std::string& whole : {lossless(picture(33, 20)), lossy(picture(33, 20))}) {
    for (std::size_t length = 12; length + 1 < whole.size(); ++length) {
      INFO(length << " of " << whole.size());
      CHECK_FALSE(error_of([&] { decode_image(whole.substr(0, length)); }).empty());
    }
    for (std::size_t at = 12; at < whole.size(); ++at) {  // an error, or a picture
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      error_of([&] { decode_image(damaged); });
    }
  }
  const std::string whole = lossy(picture(33, 20));
  CHECK(error_of([&] { decode_image(whole.substr(0, whole.size() / 2)); }) == "the file is truncated");
}
