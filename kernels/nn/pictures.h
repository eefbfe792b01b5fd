// From 8-bit pictures to the network's input: normalisation, bilinear resizing, zeros around.
//
//   n(v, c) = (v / divisor - mean[c]) / std[c]
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
};

struct PictureArgs {
  int images, height, width;     // of the input
  const std::uint8_t* bytes;     // of all pictures
  const PictureBytes* pictures;  // [images]
  Normalisation norm;            // bgr has no meaning here
  float* y;                      // [images, height, width, 3]
};

/// Writes the 3 values of the input's pixel. normalised(byte, c) is n.
template <class Normalised>
DIOPTER_HD void input_pixel(const PictureArgs& args, const PictureBytes& picture, int row, int column,
                            const Normalised& normalised, float* y) {
  if (row >= picture.seen_height || column >= picture.seen_width) {
    y[0] = y[1] = y[2] = 0;
    return;
  }
  const AxisTap v = axis_tap(picture.height, picture.resized_height, picture.y + row);
  const AxisTap h = axis_tap(picture.width, picture.resized_width, picture.x + column);
  const std::uint8_t* x = args.bytes + picture.offset;
  const std::int64_t upper = std::int64_t{v.low} * picture.width, lower = std::int64_t{v.high} * picture.width;
  for (int c = 0; c < 3; ++c) {
    const auto value = [&](std::int64_t line, int at) { return normalised(x[3 * (line + at) + c], c); };
    y[c] = between(between(value(upper, h.low), value(upper, h.high), h.weight),
                   between(value(lower, h.low), value(lower, h.high), h.weight), v.weight);
  }
}

}  // namespace diopter

DIOPTER_KERNEL(void pictures_to_input(const PictureArgs& args))

namespace diopter::least_work {

/// As if no picture were resized.
inline LeastWork pictures_to_input(const PictureArgs& args) {
  return {.bytes = 15.0 * args.images * args.height * args.width};
}

}  // namespace diopter::least_work
