// What a format of pictures offers. A new format is a file with its functions, and a row of the table in
// read_image.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include "data/pictures/formats/byte_source.h"
#include "data/pictures/image.h"
#include "data/pictures/picture_rows.h"
#include "kernels/base/check.h"
#include "kernels/base/limits.h"

namespace diopter {

struct PictureHeader {
  int width, height;        // as stored, each at least 1
  std::int64_t memory = 0;  // bytes that decoding takes beside the file and the picture itself
  bool deep = false;        // samples of more than 8 bits
  bool by_rows = false;     // has PictureFormat::rows
};

/// What is known of a picture before it is decoded.
struct FirstLook {
  PictureHeader header;
  int orientation;  // as EXIF counts it, from 1 to 8
};

/// Each function throws Error with the reason alone: whoever calls them knows the file's name.
struct PictureFormat {
  const char* name;                      // in docs and messages: "PNG"
  const char* extensions;                // ".jpg .jpeg"
  bool (*recognises)(std::string_view);  // by the file's first bytes
  FirstLook (*look)(const ByteSource&);
  /// Files whose header's size and memory have been found to be in order: their rows, as stored, from bytes that stay;
  /// or, where the header does not say by_rows, all of them. `white` as in read_image. Null where no file is so.
  std::unique_ptr<PictureRows> (*rows)(const ByteSource&, int white);
  Image (*decode)(std::string_view, int white);
};

/// For formats that no camera writes.
inline int always_upright(std::string_view) { return 1; }

/// A sample of more than 8 bits as one of 8, where `white` and all above it become 255. 65535 leaves the upper 8 bits.
inline std::uint8_t eight_bits(int sample, int white) {
  return static_cast<std::uint8_t>(std::min(std::int64_t{255}, std::int64_t{256} * sample / (white + 1)));
}

/// Calls take() with the file's first bytes; where it throws because they may be too few, with more: most headers,
/// those with thumbnails (two APP segments of a JPEG file), and any.
template <class Take>
auto of_first_bytes(const ByteSource& bytes, const Take& take) {
  for (const std::int64_t count : {std::int64_t{1} << 12, std::int64_t{1} << 17}) {
    try {
      return take(std::string_view(bytes.first(count)));
    } catch (const Error&) {
      if (count >= bytes.size()) throw;
    }
  }
  return take(std::string_view(bytes.first(limits::kPictureBytes.value)));
}

/// PictureFormat::look for formats that need no more than the file's first bytes.
template <PictureHeader (*header)(std::string_view), int (*orientation)(std::string_view)>
FirstLook look_at_first_bytes(const ByteSource& bytes) {
  return of_first_bytes(bytes, [](std::string_view first) { return FirstLook{header(first), orientation(first)}; });
}

inline const std::uint8_t* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace diopter
