#include "data/pictures/image.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/nn/pictures.h"

// The only place that compiles stb's decoders and encoders; static, so that no other library's copy is linked instead.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
// A file that leaves coefficients out must not decode to what the memory held before.
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(memory, size) std::realloc(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_PSD
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace diopter {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kHeaderBytes = std::size_t{1} << 17;  // two APP segments of a JPEG file fit into it

/// The first `limit` bytes of the file, or all of it.
std::string read_picture_file(const std::string& file, std::size_t limit = kMaxFileBytes + 1) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  // A pipe could be read only once.
  DIOPTER_CHECK(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), file, ": not a file");
  std::string bytes = read_file(file, limit);
  DIOPTER_CHECK(!bytes.empty(), file, ": the file is empty");
  DIOPTER_CHECK(bytes.size() <= kMaxFileBytes, file, ": larger than 1 GiB");
  return bytes;
}

const std::uint8_t* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

/// Hands the bytes to stb_image and notes when it asks for more than there are: it fills up truncated pictures
/// silently.
struct Source {
  std::string_view bytes;
  std::size_t position = 0;
  bool ran_out = false;

  static int read(void* user, char* data, int size) {
    Source& source = *static_cast<Source*>(user);
    const std::size_t count = std::min<std::size_t>(size, source.bytes.size() - source.position);
    // stb fills its own small buffer with as much as there is; any other read that falls short lacks data.
    if (count == 0 || (count < static_cast<std::size_t>(size) && size != kStbBuffer)) source.ran_out = true;
    std::memcpy(data, source.bytes.data() + source.position, count);
    source.position += count;
    return static_cast<int>(count);
  }
  static void skip(void* user, int count) {
    Source& source = *static_cast<Source*>(user);
    if (count > 0) source.position = std::min(source.position + count, source.bytes.size());
  }
  static int at_end(void* user) {
    const Source& source = *static_cast<Source*>(user);
    return source.position == source.bytes.size();
  }

  static constexpr int kStbBuffer = sizeof(stbi__context::buffer_start);
};

/// Size as stored; false when the bytes hold no header that stb_image knows.
bool stored_size(std::string_view bytes, int& width, int& height) {
  int channels = 0;
  const int size = static_cast<int>(bytes.size());
  if (!stbi_info_from_memory(unsigned_bytes(bytes), size, &width, &height, &channels)) return false;
  if (height < 0) height = -std::max(height, -INT_MAX);  // a BMP file stored from its top row
  return true;
}

[[noreturn]] void fail_to_decode(const std::string& file) {
  fail(file, ": cannot be decoded (", stbi_failure_reason(), ")");
}

/// The picture as EXIF orientation 1-8 wants it shown.
Image turn_upright(Image in, int orientation) {
  if (orientation == 1) return in;
  const bool transposed = orientation >= 5;
  Image out;
  out.width = transposed ? in.height : in.width;
  out.height = transposed ? in.width : in.height;
  out.rgb.resize(in.rgb.size());
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      int from_x = transposed ? y : x, from_y = transposed ? x : y;
      if (mirror_x) from_x = in.width - 1 - from_x;
      if (mirror_y) from_y = in.height - 1 - from_y;
      std::copy_n(in.pixel(from_x, from_y), 3, out.pixel(x, y));
    }
  }
  return out;
}

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

bool is_picture(const std::string& file) {
  constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pnm", ".tga"};
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension_of(file)) != std::end(kExtensions);
}

int exif_orientation(std::string_view bytes) {
  constexpr std::uint8_t kApp1 = 0xE1, kStartOfScan = 0xDA, kEndOfImage = 0xD9;
  constexpr char kExif[] = "Exif\0";  // and the terminating zero: six bytes
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
    if (marker == kApp1 && end >= begin + sizeof kExif && std::memcmp(&jpeg[begin], kExif, sizeof kExif) == 0) {
      return tiff_orientation(&jpeg[begin] + sizeof kExif, end - begin - sizeof kExif);
    }
    at += 2 + length;
  }
  return 1;
}

Image read_image(const std::string& file) {
  const std::string bytes = read_picture_file(file);
  Image image;
  if (!stored_size(bytes, image.width, image.height)) fail_to_decode(file);
  DIOPTER_CHECK(std::int64_t{image.width} * image.height <= kMaxPixels, file, ": ", image.width, "x", image.height,
                " is larger than 64 megapixels");

  Source source{bytes};
  const stbi_io_callbacks callbacks{Source::read, Source::skip, Source::at_end};
  int channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_callbacks(&callbacks, &source, &image.width, &image.height, &channels, 3), stbi_image_free);
  DIOPTER_CHECK(!source.ran_out, file, ": the file is truncated");
  if (!pixels) fail_to_decode(file);
  image.rgb.assign(pixels.get(), pixels.get() + std::size_t{3} * image.width * image.height);
  return turn_upright(std::move(image), exif_orientation(bytes));
}

void read_image_size(const std::string& file, int& width, int& height) {
  std::string bytes = read_picture_file(file, kHeaderBytes);
  if (!stored_size(bytes, width, height)) {
    if (bytes.size() == kHeaderBytes) bytes = read_picture_file(file);
    if (!stored_size(bytes, width, height)) fail_to_decode(file);
  }
  if (exif_orientation(bytes) >= 5) std::swap(width, height);
}

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
  write_file_atomically(file, bytes);
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
