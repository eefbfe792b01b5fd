// What a format of pictures offers. A new format is a file with its functions, and a row of the table in
// read_image.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "data/pictures/image.h"

namespace diopter {

struct PictureHeader {
  int width, height;        // as stored, each at least 1
  std::int64_t memory = 0;  // bytes that decoding takes beside the file and the picture itself
  bool deep = false;        // samples of more than 8 bits
};

/// Each function throws Error with the reason alone: whoever calls them knows the file's name.
struct PictureFormat {
  const char* name;                           // in docs and messages: "PNG"
  const char* extensions;                     // ".jpg .jpeg"
  bool (*recognises)(std::string_view);       // by the file's first bytes
  PictureHeader (*header)(std::string_view);  // from the first bytes of a file, of which it may need more than it got
  /// Whole files, whose header's size and memory have been found to be in order; `white` as in read_image.
  Image (*decode)(std::string_view, int white);
  int (*orientation)(std::string_view);  // as EXIF counts it, from 1 to 8
};

/// For formats that no camera writes.
inline int always_upright(std::string_view) { return 1; }

/// A sample of more than 8 bits as one of 8, where `white` and all above it become 255. 65535 leaves the upper 8 bits.
inline std::uint8_t eight_bits(int sample, int white) {
  return static_cast<std::uint8_t>(std::min(std::int64_t{255}, std::int64_t{256} * sample / (white + 1)));
}

inline const std::uint8_t* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace diopter
