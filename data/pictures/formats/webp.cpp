#include "data/pictures/formats/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <optional>

#include "data/pictures/formats/exif.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace diopter {
namespace {

constexpr std::size_t kRiffHeader = 12, kChunkHeader = 8;

void check(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK: return;
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: fail("the file is truncated");
    case VP8_STATUS_OUT_OF_MEMORY: fail("cannot be decoded (no memory)");
    case VP8_STATUS_UNSUPPORTED_FEATURE: fail("cannot be decoded (a kind of WebP that libwebp does not know)");
    default: fail("cannot be decoded (damaged WebP data)");
  }
}

WebPBitstreamFeatures features_of(std::string_view bytes) {
  WebPBitstreamFeatures features;
  check(WebPGetFeatures(unsigned_bytes(bytes), bytes.size(), &features));
  return features;
}

std::size_t little_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Decodes one frame, which must fit, into the picture with its corner at (x, y).
void decode_frame(std::string_view frame, int x, int y, Image& image) {
  const WebPBitstreamFeatures features = features_of(frame);
  DIOPTER_CHECK(x >= 0 && y >= 0 && features.width <= image.width - x && features.height <= image.height - y,
                "cannot be decoded (a frame outside the picture)");
  WebPDecoderConfig config;
  DIOPTER_CHECK(WebPInitDecoderConfig(&config), "cannot be decoded (another version of libwebp)");
  const std::size_t stride = std::size_t{3} * image.width;
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.pixel(x, y);
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = static_cast<std::size_t>(image.rgb.data() + image.rgb.size() - image.pixel(x, y));
  const VP8StatusCode status = WebPDecode(unsigned_bytes(frame), frame.size(), &config);
  WebPFreeDecBuffer(&config.output);
  check(status);
}

void decode_first_frame(std::string_view bytes, Image& image) {
  const WebPData data{unsigned_bytes(bytes), bytes.size()};
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> frames(WebPDemux(&data), WebPDemuxDelete);
  DIOPTER_CHECK(frames, "cannot be decoded (an animation that is truncated or damaged)");
  WebPIterator first;
  DIOPTER_CHECK(WebPDemuxGetFrame(frames.get(), 1, &first), "cannot be decoded (an animation without frames)");
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&first, WebPDemuxReleaseIterator);
  image.more = first.num_frames > 1;
  decode_frame({reinterpret_cast<const char*>(first.fragment.bytes), first.fragment.size}, first.x_offset,
               first.y_offset, image);
}

}  // namespace

PictureHeader webp_header(std::string_view bytes) {
  constexpr std::int64_t kOfDecoder = 6;  // bytes a pixel: lossless ARGB, the alpha plane and its decoder's
  const WebPBitstreamFeatures features = features_of(bytes);
  DIOPTER_CHECK(features.width >= 1 && features.height >= 1, "cannot be decoded (a size of ", features.width, "x",
                features.height, ")");
  return {features.width, features.height, kOfDecoder * features.width * features.height};
}

Image decode_webp(std::string_view bytes, int) {
  const WebPBitstreamFeatures features = features_of(bytes);
  Image image{features.width, features.height,
              std::vector<std::uint8_t>(std::size_t{3} * features.width * features.height)};
  if (features.has_animation) {
    decode_first_frame(bytes, image);
  } else {
    decode_frame(bytes, 0, 0, image);
  }
  return image;
}

int webp_orientation(std::string_view bytes) {
  constexpr char kHasExif = 0x08;
  if (bytes.size() <= kRiffHeader + kChunkHeader || bytes.substr(kRiffHeader, 4) != "VP8X") return 1;
  if ((bytes[kRiffHeader + kChunkHeader] & kHasExif) == 0) return 1;
  std::size_t at = kRiffHeader;
  while (at + kChunkHeader <= bytes.size()) {
    const std::size_t length = little_endian(bytes.substr(at + 4, 4)), begin = at + kChunkHeader;
    if (bytes.substr(at, 4) == "EXIF") {
      DIOPTER_CHECK(length <= bytes.size() - begin, "the file is truncated");
      return exif_block_orientation(bytes.substr(begin, length));
    }
    at = begin + length + length % 2;
  }
  const std::size_t end = kChunkHeader + little_endian(bytes.substr(4, 4));
  DIOPTER_CHECK(end <= bytes.size(), "the file is truncated");
  return 1;
}

std::string webp_library() {
  const int version = WebPGetDecoderVersion();
  return formatted("libwebp %d.%d.%d", version >> 16, version >> 8 & 255, version & 255);
}

}  // namespace diopter
