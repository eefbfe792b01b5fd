#include "data/pictures/white.h"

#include "data/pictures/image.h"
#include "tests/data/pictures/formats/make_png.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// A grey picture of one row.
std::string png_of(const std::vector<int>& samples, int depth) {
  std::string row(1, '\0');
  for (const int s : samples) row += big_endian(static_cast<std::uint32_t>(s), depth / 8);
  return make_png({static_cast<std::uint32_t>(samples.size()), 1, depth, 0, false, row, {}});
}

std::vector<int> levels(const std::string& bytes, int white) {
  const Image image = decode_image(bytes, white);
  std::vector<int> values;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    CHECK((image.rgb[i] == image.rgb[i + 1] && image.rgb[i] == image.rgb[i + 2]));
    values.push_back(image.rgb[i]);
  }
  return values;
}

ImageRecord record(const std::string& file) { return {.id = 1, .file = file, .name = file, .annotations = {}}; }

}  // namespace

TEST_CASE("white is the sample that becomes 255") {
  const std::string deep = png_of({0, 1, 15, 16, 1000, 2048, 4095, 4096, 65535}, 16);
  CHECK(levels(deep, kFullRange) == std::vector<int>{0, 0, 0, 0, 3, 8, 15, 16, 255});
  CHECK(levels(deep, 65535) == levels(deep, kFullRange));
  CHECK(levels(deep, 4095) == std::vector<int>{0, 0, 0, 1, 62, 128, 255, 255, 255});
  CHECK(levels(deep, 1000) == std::vector<int>{0, 0, 3, 4, 255, 255, 255, 255, 255});
  CHECK(levels(deep, 1) == std::vector<int>{0, 128, 255, 255, 255, 255, 255, 255, 255});
  CHECK(decode_image(deep).greatest == 65535);
  const std::string bytes = png_of({0, 7, 255}, 8);
  CHECK(levels(bytes, 100) == std::vector<int>{0, 7, 255});
  CHECK(decode_image(bytes).greatest == 0);
  const std::string pgm("P5 3 1 1000\n\x00\x00\x01\xF4\x03\xE8", 18);
  CHECK(levels(pgm, kFullRange) == std::vector<int>{0, 128, 255});
  CHECK(levels(pgm, 2000) == std::vector<int>{0, 63, 127});
  CHECK(levels("P5 3 1 255\nabc", 100) == std::vector<int>{'a', 'b', 'c'});
}

TEST_CASE("white of interlaced 16-bit PNG files") {
  // 3 x 3 pixels come in Adam7's passes 1 (0,0), 4 (2,0), 5 (0,2 and 2,2), 6 (1,0, then 1,2) and 7 (the second row).
  const std::string rows(
      "\0\1\0"
      "\0\3\0"
      "\0\7\0\x9\0"
      "\0\2\0"
      "\0\x8\0"
      "\0\4\0\5\0\6\0",
      24);
  CHECK(levels(make_png({3, 3, 16, 0, true, rows, {}}), 0xFFF) ==
        std::vector<int>{16, 32, 48, 64, 80, 96, 112, 128, 144});
}

TEST_CASE("full scale of a set is the bits that its greatest sample needs") {
  CHECK(full_scale(1) == 1023);
  CHECK(full_scale(1023) == 1023);
  CHECK(full_scale(1024) == 4095);
  CHECK(full_scale(4096) == 16383);
  CHECK(full_scale(16384) == 65535);

  const TemporaryFolder folder;
  const std::string dark = folder.write("dark.png", png_of({5, 300}, 16)),
                    bright = folder.write("bright.png", png_of({3000, 0}, 16)),
                    narrow = folder.write("narrow.png", png_of({255, 0}, 8)), broken = folder.write("broken.png", "x");
  Dataset dataset;
  CHECK(full_scale_of(dataset) == kFullRange);
  dataset.images = {record(narrow), record(broken), record(folder.path("missing.png"))};
  CHECK(full_scale_of(dataset) == kFullRange);
  dataset.images.push_back(record(dark));
  CHECK(full_scale_of(dataset) == 1023);
  dataset.images.push_back(record(bright));
  CHECK(full_scale_of(dataset) == 4095);
  // No more than 64 pictures are looked at, from all over the set.
  dataset.images.assign(640, record(dark));
  dataset.images[10] = record(bright);
  CHECK(full_scale_of(dataset) == 4095);
  dataset.images[10] = record(dark);
  dataset.images[11] = record(bright);
  CHECK(full_scale_of(dataset) == 1023);
}

TEST_CASE("PNG: turned upright by an eXIf chunk before the pixels") {
  const std::string exif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26);
  const std::string rows("\0\1\2\3", 4);
  const Image image = decode_image(make_png({3, 1, 8, 0, false, rows, {png_chunk("eXIf", exif)}}));
  CHECK(std::pair(image.width, image.height) == std::pair(1, 3));
  CHECK(image.pixel(0, 1)[0] == 2);
  CHECK(decode_image(make_png({3, 1, 8, 0, false, rows, {png_chunk("eXIf", "MM")}})).width == 3);
  // Beyond the bytes that are looked at first.
  const TemporaryFolder folder;
  const std::string far =
      make_png({3, 1, 8, 0, false, rows, {png_chunk("juNk", std::string(9000, 'x')), png_chunk("eXIf", exif)}});
  int width = 0, height = 0;
  read_image_size(folder.write("far.png", far), width, height);
  CHECK(std::pair(width, height) == std::pair(1, 3));
}
