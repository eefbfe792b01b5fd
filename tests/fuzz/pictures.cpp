// Pictures: each format that has a reader, and EXIF's orientation.
#include <cstdint>
#include <cstdlib>
#include <functional>

#include "data/pictures/formats/exif.h"
#include "data/pictures/image.h"
#include "data/pictures/orientation.h"
#include "kernels/base/check.h"
#include "tests/data/pictures/formats/make_png.h"
#include "tests/fuzz/target.h"

namespace diopter::fuzz {
namespace {

constexpr std::int64_t kManyPixels = 1 << 20, kOneIn = 16;

/// What the header says is what the picture is. A few bytes can claim many pixels, whose memory takes most of the time:
/// one in 16 of these is decoded.
void decode(std::string_view start, std::string_view input) {
  const std::string file = std::string(start) + std::string(input);
  int width = 0, height = 0;
  bool refused = false;
  try {
    read_image_size(in_memory(file), width, height);
  } catch (const Error&) {
    refused = true;
  }
  if (std::int64_t{width} * height > kManyPixels && std::hash<std::string>{}(file) % kOneIn != 0) return;
  const Image image = decode_image(file);
  if (refused || image.width != width || image.height != height) std::abort();
}

// Inputs lack what a file of the format begins with: nearly every one of them is of that format.
void jpeg(std::string_view input) { decode("\xFF\xD8\xFF", input); }

/// With the checksums of its chunks made right: else nearly every input would be refused for them.
void png(std::string_view input) {
  std::string chunks(input);
  for (std::size_t at = 0; at + 12 <= chunks.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(chunks[at + i]);
    if (length > chunks.size() - at - 12) break;
    chunks.replace(at + 8 + length, 4, test::big_endian(test::crc_of(chunks.substr(at + 4, 4 + length))));
    at += 12 + length;
  }
  decode("\x89PNG\r\n\x1A\n", chunks);
}

void tiff(std::string_view input) { decode("", input); }
void webp(std::string_view input) { decode("", input); }

/// PNM, BMP, GIF, TGA.
void picture(std::string_view input) { decode("", input); }

void exif(std::string_view input) {
  const int orientation = exif_orientation(input);
  if (orientation < 1 || orientation > 8) std::abort();
  turn_upright({3, 2, std::vector<std::uint8_t>(18)}, orientation);
}

constexpr Target kPictures[] = {{"jpeg", jpeg}, {"png", png},         {"tiff", tiff},
                                {"webp", webp}, {"picture", picture}, {"exif", exif}};

}  // namespace

std::span<const Target> picture_targets() { return kPictures; }

}  // namespace diopter::fuzz
