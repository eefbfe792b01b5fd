// Pictures: decoding, upright by their EXIF orientation, encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// 8-bit RGB, row by row, 3 bytes per pixel.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]
  int greatest = 0;               // sample of a file of more than 8 bits, before it became one of 8; 0 for other files
  bool more = false;              // the file has pages or frames behind the one that was read

  std::uint8_t* pixel(int x, int y) { return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
  const std::uint8_t* pixel(int x, int y) const { return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
};

/// Whether the extension is one of the kinds that read_image decodes.
bool is_picture(const std::string& file);

/// "JPEG, PNG, ...": the kinds of pictures that are read.
std::string picture_format_names();

/// For read_image: the greatest sample that a file can hold becomes white.
inline constexpr int kFullRange = 0;

/// Decodes a picture of any of these kinds (the first page or frame) and turns it upright. Alpha is dropped. Samples of
/// more than 8 bits become 8: `white` and all above it become 255, a sample v below it floor(256 v / (white + 1)); with
/// kFullRange white is 65535, or what a PNM file states or the bits of a TIFF file hold. Throws Error "FILE: reason"
/// for files that are missing, truncated, damaged, of another kind, or beyond a limit (kernels/base/limits.h).
Image read_image(const std::string& file, int white = kFullRange);

/// The same of a file's bytes; its Error is the reason alone.
Image decode_image(std::string_view bytes, int white = kFullRange);

/// Whether the file's samples have more than 8 bits, from its header. Throws Error as read_image.
bool is_deep_picture(const std::string& file);

/// The libraries that decode, with their versions, for `diopter info`.
std::string picture_libraries();

/// Width and height as read_image would return them, from the header alone.
void read_image_size(const std::string& file, int& width, int& height);

/// Writes .png, .jpg (quality 90) or .bmp, by the file's extension, to a temporary file that is then renamed.
/// Throws Error when the extension is another or the place cannot be written.
void write_image(const std::string& file, const Image& image);

}  // namespace diopter
