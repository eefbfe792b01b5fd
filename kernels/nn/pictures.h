// From 8-bit pictures to the network's input: other colours, normalisation, bilinear resizing, zeros around.
//
//   n(v, c) = (v / divisor - mean[c]) / std[c], of v as it is or with changed colours (ColourMap)
//   s(i)    = max(0, (i + 1/2) in / out - 1/2)      along each axis: half-pixel centres, no antialiasing
//                                                   (torch.nn.functional.interpolate, align_corners=False)
//   y       = between the rows around s(row), of what is between the columns around s(column) of n(x)
//
// A picture that keeps its size has weights of 0 and 1: y = n(x).
#pragma once

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

namespace diopter {

struct Normalisation {
  float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};  // in the channel order of the input
  float divisor = 255;                                                          // pixels are divided by it first
  bool bgr = false;                                                             // channel order of the input

  DIOPTER_HD float operator()(float v, int c) const { return (v / divisor - mean[c]) / std[c]; }
};

DIOPTER_HD inline float clamp_to_byte(float v) { return v < 0 ? 0 : v > 255 ? 255 : v; }
DIOPTER_HD inline float grey_of(float r, float g, float b) { return 0.299f * r + 0.587f * g + 0.114f * b; }

/// How the colours of a picture change, from 0 to 255, in this order; every result is clamped to that.
struct ColourMap {
  float brightness = 1;                    // factor
  float contrast = 1, centre = 0;          // factor, of the distance from this grey
  float saturation = 1;                    // factor, of the distance from the pixel's grey
  float same = 1, next = 0, previous = 0;  // turn of the hue about the grey axis, a circulant matrix
  DIOPTER_HD bool turns() const { return next != 0 || previous != 0; }

  /// Whether a channel's result depends on the others.
  DIOPTER_HD bool mixes() const { return saturation != 1 || turns(); }

  /// Brightness and contrast, of each channel by itself.
  DIOPTER_HD float level(float v) const {
    v = clamp_to_byte(v * brightness);
    return contrast == 1 ? v : clamp_to_byte(centre + (v - centre) * contrast);
  }

  /// Saturation and hue.
  DIOPTER_HD void mix(float& r, float& g, float& b) const {
    const float grey = grey_of(r, g, b);
    const auto saturated = [&](float v) { return clamp_to_byte(grey + (v - grey) * saturation); };
    r = saturated(r);
    g = saturated(g);
    b = saturated(b);
    if (!turns()) return;
    const float old_r = r, old_g = g, old_b = b;
    r = clamp_to_byte(same * old_r + next * old_g + previous * old_b);
    g = clamp_to_byte(previous * old_r + same * old_g + next * old_b);
    b = clamp_to_byte(next * old_r + previous * old_g + same * old_b);
  }
};

/// n of a pixel with changed colours, without a division: from a table of what each byte becomes in each channel.
class PixelTable {
 public:
  /// What stands in the table for a byte.
  DIOPTER_HD static float entry(const ColourMap& colours, const Normalisation& norm, int byte, int c) {
    const float level = colours.level(static_cast<float>(byte));
    return colours.mixes() ? level : norm(level, c);
  }

  /// All entries of a table [3][256].
  static void fill(const ColourMap& colours, const Normalisation& norm, float (*table)[256]) {
    for (int c = 0; c < 3; ++c) {
      for (int byte = 0; byte < 256; ++byte) table[c][byte] = entry(colours, norm, byte, c);
    }
  }

  /// table: [3][256], of entries.
  DIOPTER_HD PixelTable(const ColourMap& colours, const Normalisation& norm, const float (*table)[256])
      : colours_(colours), table_(table), bgr_(norm.bgr) {
    for (int c = 0; c < 3; ++c) {
      shift_[c] = norm(0, c);
      scale_[c] = 1 / (norm.divisor * norm.std[c]);
    }
  }

  /// bytes and y in the channel order of the input.
  DIOPTER_HD void operator()(const std::uint8_t* bytes, float* y) const {
    for (int c = 0; c < 3; ++c) y[c] = table_[c][bytes[c]];
    if (!colours_.mixes()) return;
    float red = bgr_ ? y[2] : y[0], blue = bgr_ ? y[0] : y[2];  // not by index: y is in registers
    colours_.mix(red, y[1], blue);
    y[0] = bgr_ ? blue : red;
    y[2] = bgr_ ? red : blue;
    for (int c = 0; c < 3; ++c) y[c] = y[c] * scale_[c] + shift_[c];
  }

 private:
  ColourMap colours_;
  const float (*table_)[256];
  float scale_[3], shift_[3];
  bool bgr_;
};

/// The two positions of an axis of `in` that output position i lies between, and the weight of the second.
struct AxisTap {
  int low, high;
  float weight;
};
DIOPTER_HD inline AxisTap axis_tap(int in, int out, int i) {
  const double at = static_cast<double>(in) / out * (i + 0.5) - 0.5;  // in float, its error grows with i
  const double source = at > 0 ? at : 0;
  const int whole = static_cast<int>(source), low = whole < in - 1 ? whole : in - 1;
  return {low, low < in - 1 ? low + 1 : low, static_cast<float>(source - low)};
}
DIOPTER_HD inline float between(float a, float b, float weight) { return (1 - weight) * a + weight * b; }

/// A picture among the bytes of a batch.
struct PictureBytes {
  std::int64_t offset;                // of its first byte
  int width, height;                  // [height, width, 3], in the channel order of the input
  int resized_width, resized_height;  // what it is resized to
  int x, y;                           // first pixel of the resized picture that is seen
  int seen_width, seen_height;        // this part of it lies at the input's upper left; the rest of the input is 0
  ColourMap colours = {};             // applied to its bytes
};

struct PictureArgs {
  int images, height, width;     // of the input
  const std::uint8_t* bytes;     // of all pictures
  const PictureBytes* pictures;  // [images]
  Normalisation norm;
  float* y;  // [images, height, width, 3]
};

/// Writes the 3 values of the input's pixel.
DIOPTER_HD inline void input_pixel(const PictureArgs& args, const PictureBytes& picture, int row, int column,
                                   const PixelTable& normalised, float* y) {
  if (row >= picture.seen_height || column >= picture.seen_width) {
    y[0] = y[1] = y[2] = 0;
    return;
  }
  const AxisTap v = axis_tap(picture.height, picture.resized_height, picture.y + row);
  const AxisTap h = axis_tap(picture.width, picture.resized_width, picture.x + column);
  const auto between_columns = [&](int line, float* values) {
    const std::uint8_t* x = args.bytes + picture.offset + 3 * (std::int64_t{line} * picture.width);
    float left[3], right[3];
    normalised(x + 3 * h.low, left);
    normalised(x + 3 * h.high, right);
    for (int c = 0; c < 3; ++c) values[c] = between(left[c], right[c], h.weight);
  };
  float upper[3], lower[3];
  between_columns(v.low, upper);
  between_columns(v.high, lower);
  for (int c = 0; c < 3; ++c) y[c] = between(upper[c], lower[c], v.weight);
}

}  // namespace diopter

DIOPTER_KERNEL(void pictures_to_input(const PictureArgs& args))

namespace diopter::least_work {

/// As if no picture were resized.
inline LeastWork pictures_to_input(const PictureArgs& args) {
  return {.bytes = 15.0 * args.images * args.height * args.width};
}

}  // namespace diopter::least_work
