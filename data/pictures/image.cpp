#include "data/pictures/image.h"

#include <cmath>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/nn/pictures.h"

// Static, so that no other library's copy is linked instead.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace diopter {
namespace {

void append(void* text, void* data, int size) {
  static_cast<std::string*>(text)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

/// Source index and weight of the right or lower neighbour, for each output index along one axis.
struct AxisWeights {
  std::vector<int> low, high;
  std::vector<float> weight;

  AxisWeights(int in, int out) : low(out), high(out), weight(out) {
    for (int i = 0; i < out; ++i) {
      const AxisTap tap = axis_tap(in, out, i);
      low[i] = tap.low;
      high[i] = tap.high;
      weight[i] = tap.weight;
    }
  }
};

}  // namespace

void write_image(const std::string& file, const Image& image) {
  constexpr int kJpegQuality = 90;
  const std::string extension = extension_of(file);
  DIOPTER_CHECK(image.width > 0 && image.height > 0, file, ": cannot write: the picture is empty");
  std::string bytes;
  int written = 0;
  if (extension == ".png") {
    written = stbi_write_png_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), 3 * image.width);
  } else if (extension == ".jpg" || extension == ".jpeg") {
    written = stbi_write_jpg_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), kJpegQuality);
  } else if (extension == ".bmp") {
    written = stbi_write_bmp_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data());
  } else {
    fail(file, ": cannot write: the extension must be .png, .jpg or .bmp");
  }
  DIOPTER_CHECK(written != 0, file, ": cannot write: the picture cannot be encoded");
  write_file_atomically(file, bytes, OnDisk::later);
}

void resize_bilinear(const float* in, int width, int height, float* out, int out_width, int out_height) {
  const AxisWeights horizontal(width, out_width), vertical(height, out_height);
  const std::size_t in_stride = std::size_t{3} * width, out_stride = std::size_t{3} * out_width;

  // Two source rows at the output's width; neighbouring output rows mostly need the same ones.
  std::vector<float> rows[2] = {std::vector<float>(out_stride), std::vector<float>(out_stride)};
  int held[2] = {-1, -1};
  const auto stretch = [&](int slot, int y) {
    const float* from = in + y * in_stride;
    float* to = rows[slot].data();
    for (int x = 0; x < out_width; ++x, to += 3) {
      const float *left = from + 3 * horizontal.low[x], *right = from + 3 * horizontal.high[x];
      const float weight = horizontal.weight[x];
      for (int c = 0; c < 3; ++c) to[c] = between(left[c], right[c], weight);
    }
    held[slot] = y;
  };

  for (int y = 0; y < out_height; ++y, out += out_stride) {
    const int low = vertical.low[y], high = vertical.high[y];
    if (held[0] != low && held[1] == low) {
      std::swap(rows[0], rows[1]);
      std::swap(held[0], held[1]);
    }
    if (held[0] != low) stretch(0, low);
    if (held[1] != high) stretch(1, high);
    const float *upper = rows[0].data(), *lower = rows[1].data();
    const float weight = vertical.weight[y];
    for (std::size_t i = 0; i < out_stride; ++i) out[i] = between(upper[i], lower[i], weight);
  }
}

}  // namespace diopter
