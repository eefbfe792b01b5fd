#include "data/pictures/formats/stb_pictures.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/base/check.h"
#include "kernels/base/limits.h"

namespace diopter {
namespace {

/// The memory that stb_image asks for during one call: bounded, and given back however the call ends. Zeros, so that a
/// file that leaves pixels out does not decode to what the memory held before.
class StbMemory {
 public:
  explicit StbMemory(std::int64_t limit) : left_(limit) { current = this; }
  ~StbMemory() {
    current = nullptr;
    for (void* block : blocks_) std::free(block);
  }
  StbMemory(const StbMemory&) = delete;
  StbMemory& operator=(const StbMemory&) = delete;

  static void* allocate(std::size_t size) { return current->take(size); }
  static void* enlarge(void* block, std::size_t old_size, std::size_t size) {
    void* larger = allocate(size);
    if (larger && block) std::memcpy(larger, block, std::min(old_size, size));
    return larger;
  }
  static void release(void* block) {
    auto& blocks = current->blocks_;
    const auto found = std::find(blocks.begin(), blocks.end(), block);
    if (found == blocks.end()) return;
    blocks.erase(found);
    std::free(block);
  }

 private:
  void* take(std::size_t size) {
    if (size > static_cast<std::size_t>(left_)) return nullptr;
    void* block = std::calloc(1, std::max<std::size_t>(size, 1));
    if (!block) return nullptr;
    left_ -= static_cast<std::int64_t>(size);
    blocks_.push_back(block);
    return block;
  }

  static thread_local StbMemory* current;
  std::int64_t left_;
  std::vector<void*> blocks_;
};

thread_local StbMemory* StbMemory::current = nullptr;

}  // namespace
}  // namespace diopter

// The only place that compiles stb's decoders; static, so that no other library's copy is linked instead.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_MALLOC(size) diopter::StbMemory::allocate(size)
#define STBI_REALLOC_SIZED(memory, old_size, size) diopter::StbMemory::enlarge(memory, old_size, size)
#define STBI_REALLOC(memory, size) nullptr  // none of the formats below asks for it without the old size
#define STBI_FREE(memory) diopter::StbMemory::release(memory)
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_TGA
#include <stb/stb_image.h>

namespace diopter {
namespace {

/// The bytes as stb_image reads them. It fills up truncated pictures silently: asked for more than there is, this
/// throws, through frames that are compiled here.
struct Source {
  std::string_view bytes;
  std::size_t position = 0;

  static int read(void* user, char* data, int size) {
    Source& source = *static_cast<Source*>(user);
    const std::size_t count = std::min<std::size_t>(size, source.bytes.size() - source.position);
    // stb fills its own small buffer with as much as there is; any other read that falls short lacks data.
    DIOPTER_CHECK(count > 0 && (count == static_cast<std::size_t>(size) || size == kStbBuffer),
                  "the file is truncated");
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

[[noreturn]] void fail_to_decode() { fail("cannot be decoded (", stbi_failure_reason(), ")"); }

}  // namespace

bool has_further_frames(std::string_view gif) {
  constexpr std::size_t kHeader = 13, kImage = 10;
  const auto byte = [&](std::size_t at) -> std::size_t { return at < gif.size() ? unsigned_bytes(gif)[at] : 0; };
  const auto table = [](std::size_t flags) -> std::size_t { return flags & 0x80 ? std::size_t{6} << (flags & 7) : 0; };
  const auto behind_blocks = [&](std::size_t at) {
    while (byte(at) > 0) at += 1 + byte(at);
    return at + 1;
  };
  int frames = 0;
  for (std::size_t at = kHeader + table(byte(10)); at < gif.size();) {
    if (gif[at] == '!') {  // an extension and its label
      at = behind_blocks(at + 2);
    } else if (gif[at] == ',') {
      if (++frames > 1) return true;
      at = behind_blocks(at + kImage + table(byte(at + 9)) + 1);
    } else {
      return false;
    }
  }
  return false;
}

bool recognises_bmp(std::string_view bytes) { return bytes.starts_with("BM"); }

bool recognises_gif(std::string_view bytes) { return bytes.starts_with("GIF8"); }

bool recognises_tga(std::string_view bytes) {
  int width = 0, height = 0, channels = 0;
  const StbMemory memory(limits::memory(static_cast<std::int64_t>(bytes.size())));
  return stbi_info_from_memory(unsigned_bytes(bytes), static_cast<int>(bytes.size()), &width, &height, &channels) != 0;
}

PictureHeader stb_header(std::string_view bytes) {
  int width = 0, height = 0, channels = 0;
  const StbMemory memory(limits::memory(static_cast<std::int64_t>(bytes.size())));
  if (!stbi_info_from_memory(unsigned_bytes(bytes), static_cast<int>(bytes.size()), &width, &height, &channels)) {
    fail_to_decode();
  }
  if (height < 0) height = -std::max(height, -INT_MAX);  // a BMP file stored from its top row
  DIOPTER_CHECK(width >= 1 && height >= 1, "cannot be decoded (a size of ", width, "x", height, ")");
  const std::int64_t most = limits::kGifPixelsOfByte.value * static_cast<std::int64_t>(bytes.size());
  DIOPTER_CHECK(!recognises_gif(bytes) || std::int64_t{width} * height <= most, "cannot be decoded (", width, "x",
                height, " pixels in ", bytes.size(), " bytes)");
  // stb's copy of the picture. More pixels are refused by their number.
  const std::int64_t pixels = std::min(std::int64_t{width} * height, limits::kPicturePixels.value);
  return {width, height, 3 * pixels};
}

Image decode_with_stb(std::string_view bytes, int) {
  Source source{bytes};
  const stbi_io_callbacks callbacks{Source::read, Source::skip, Source::at_end};
  const StbMemory memory(limits::memory(static_cast<std::int64_t>(bytes.size())));
  Image image;
  int channels = 0;
  const stbi_uc* pixels = stbi_load_from_callbacks(&callbacks, &source, &image.width, &image.height, &channels, 3);
  if (!pixels) fail_to_decode();
  image.more = recognises_gif(bytes) && has_further_frames(bytes);
  image.rgb.assign(pixels, pixels + std::size_t{3} * image.width * image.height);
  return image;
}

}  // namespace diopter
