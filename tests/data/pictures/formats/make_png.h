// PNG files of any depth and colour type, as the tests need them: stored, not compressed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diopter::test {

inline std::string big_endian(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

/// CRC-32 of PNG (annex D of its specification).
inline std::uint32_t crc_of(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
  }
  return ~crc;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(crc_of(type + data));
}

/// A zlib stream of stored blocks.
inline std::string stored_zlib(const std::string& bytes) {
  std::string stream = "\x78\x01";
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (const char c : bytes) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  for (std::size_t at = 0; at < bytes.size() || at == 0;) {
    const std::string block = bytes.substr(at, 65535);
    at += block.size() + (block.empty() ? 1 : 0);
    const auto length = static_cast<std::uint16_t>(block.size());
    stream += at >= bytes.size() ? '\1' : '\0';
    for (const std::uint16_t v : {length, static_cast<std::uint16_t>(~length)}) {
      stream += static_cast<char>(v & 0xFF);
      stream += static_cast<char>(v >> 8);
    }
    stream += block;
  }
  return stream + big_endian(b << 16 | a);
}

struct PngParts {
  std::uint32_t width, height;
  int depth, colour;  // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
  bool interlaced = false;
  std::string rows;                  // each with its filter's byte in front
  std::vector<std::string> between;  // chunks before the pixels
};

inline std::string make_png(const PngParts& p) {
  std::string file = "\x89PNG\r\n\x1A\n";
  file += png_chunk("IHDR", big_endian(p.width) + big_endian(p.height) + static_cast<char>(p.depth) +
                                static_cast<char>(p.colour) + std::string(2, '\0') + (p.interlaced ? '\1' : '\0'));
  for (const std::string& chunk : p.between) file += chunk;
  return file + png_chunk("IDAT", stored_zlib(p.rows)) + png_chunk("IEND", "");
}

}  // namespace diopter::test
