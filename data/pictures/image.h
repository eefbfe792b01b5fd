// Pictures: decoding, upright by their EXIF orientation, encoding, resizing.
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

  std::uint8_t* pixel(int x, int y) { return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
  const std::uint8_t* pixel(int x, int y) const { return rgb.data() + 3 * (static_cast<std::size_t>(y) * width + x); }
};

/// Whether the extension is one of the kinds that read_image decodes.
bool is_picture(const std::string& file);

/// "JPEG, PNG, ...": the kinds of pictures that are read.
std::string picture_format_names();

/// Decodes a picture of any of these kinds (of a GIF the first frame) and turns it upright. Alpha is dropped. Throws
/// Error "FILE: reason" for files that are missing, truncated, damaged, of another kind, or beyond a limit
/// (kernels/base/limits.h).
Image read_image(const std::string& file);

/// The same of a file's bytes; its Error is the reason alone.
Image decode_image(std::string_view bytes);

/// Width and height as read_image would return them, from the header alone.
void read_image_size(const std::string& file, int& width, int& height);

/// Writes .png, .jpg (quality 90) or .bmp, by the file's extension, to a temporary file that is then renamed.
/// Throws Error when the extension is another or the place cannot be written.
void write_image(const std::string& file, const Image& image);

/// Bilinear interpolation of the float picture [height, width, 3] without antialiasing and with half-pixel centres
/// (torch.nn.functional.interpolate, align_corners=False); source pixel = (i + 0.5) * in / out - 0.5, clamped.
void resize_bilinear(const float* in, int width, int height, float* out, int out_width, int out_height);

}  // namespace diopter
