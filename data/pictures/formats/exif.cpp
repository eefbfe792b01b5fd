#include "data/pictures/formats/exif.h"

#include <algorithm>
#include <span>

#include "data/pictures/formats/picture_format.h"

namespace diopter {

namespace {

constexpr std::string_view kExif("Exif\0\0", 6);

/// Integers of a TIFF block in its byte order; 0 outside of it.
struct TiffReader {
  const std::uint8_t* data;
  std::size_t size;
  bool big_endian;

  std::uint32_t integer(std::size_t offset, int bytes) const {
    if (offset > size || size - offset < static_cast<std::size_t>(bytes)) return 0;
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | data[offset + (big_endian ? i : bytes - 1 - i)];
    return value;
  }
};

/// Orientation tag of the first directory of a TIFF block; 1 when there is none or it makes no sense.
int tiff_orientation(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;
  if (size < 8 || data[0] != data[1] || (data[0] != 'I' && data[0] != 'M')) return 1;
  const TiffReader tiff{data, size, data[0] == 'M'};
  if (tiff.integer(2, 2) != 42) return 1;
  const std::size_t directory = tiff.integer(4, 4);
  const std::uint32_t entries = tiff.integer(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (entry + 12 > size) return 1;
    if (tiff.integer(entry, 2) != kOrientationTag) continue;
    const std::uint32_t value = tiff.integer(entry + 8, 2);
    return tiff.integer(entry + 2, 2) == kShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int exif_block_orientation(std::string_view block) {
  if (block.starts_with(kExif)) block.remove_prefix(kExif.size());
  return tiff_orientation(unsigned_bytes(block), block.size());
}

int exif_orientation(std::string_view bytes) {
  constexpr std::uint8_t kApp1 = 0xE1, kStartOfScan = 0xDA, kEndOfImage = 0xD9;
  const std::span<const std::uint8_t> jpeg(unsigned_bytes(bytes), bytes.size());
  if (jpeg.size() < 4 || jpeg[0] != 0xFF || jpeg[1] != 0xD8) return 1;
  for (std::size_t at = 2; at + 4 <= jpeg.size() && jpeg[at] == 0xFF;) {
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kStartOfScan || marker == kEndOfImage) return 1;
    const std::size_t length = std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    const std::size_t begin = at + 4, end = std::min(at + 2 + length, jpeg.size());
    if (marker == kApp1 && end > begin && bytes.substr(begin, end - begin).starts_with(kExif)) {
      return exif_block_orientation(bytes.substr(begin, end - begin));
    }
    at += 2 + length;
  }
  return 1;
}

}  // namespace diopter
