#include "data/pictures/formats/png.h"

#include "tests/data/pictures/formats/make_png.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes rgb(const PngParts& parts) { return decode_image(make_png(parts)).rgb; }

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int v : values) text += static_cast<char>(v);
  return text;
}

}  // namespace

TEST_CASE("PNG: grey of every depth") {
  CHECK(rgb({2, 1, 1, 0, false, bytes({0, 0x40}), {}}) == Bytes{0, 0, 0, 255, 255, 255});
  CHECK(rgb({2, 1, 2, 0, false, bytes({0, 0x60}), {}}) == Bytes{85, 85, 85, 170, 170, 170});
  CHECK(rgb({2, 1, 4, 0, false, bytes({0, 0x3F}), {}}) == Bytes{51, 51, 51, 255, 255, 255});
  CHECK(rgb({2, 1, 8, 0, false, bytes({0, 7, 200}), {}}) == Bytes{7, 7, 7, 200, 200, 200});
  CHECK(rgb({2, 1, 16, 0, false, bytes({0, 7, 255, 200, 1}), {}}) == Bytes{7, 7, 7, 200, 200, 200});
}

TEST_CASE("PNG: colours, palettes and alpha, which is dropped") {
  CHECK(rgb({1, 1, 8, 2, false, bytes({0, 1, 2, 3}), {}}) == Bytes{1, 2, 3});
  CHECK(rgb({1, 1, 16, 2, false, bytes({0, 1, 99, 2, 99, 3, 99}), {}}) == Bytes{1, 2, 3});
  CHECK(rgb({1, 1, 8, 4, false, bytes({0, 9, 0}), {}}) == Bytes{9, 9, 9});
  CHECK(rgb({1, 1, 8, 6, false, bytes({0, 1, 2, 3, 0}), {}}) == Bytes{1, 2, 3});
  CHECK(rgb({1, 1, 16, 6, false, bytes({0, 1, 0, 2, 0, 3, 0, 0, 0}), {}}) == Bytes{1, 2, 3});
  const std::string palette = png_chunk("PLTE", bytes({1, 2, 3, 4, 5, 6})), clear = png_chunk("tRNS", bytes({0, 128}));
  CHECK(rgb({2, 1, 1, 3, false, bytes({0, 0x40}), {palette}}) == Bytes{1, 2, 3, 4, 5, 6});
  CHECK(rgb({2, 1, 8, 3, false, bytes({0, 1, 0}), {palette, clear}}) == Bytes{4, 5, 6, 1, 2, 3});
  // A colour that is to be transparent stays what it is; so do values that a gamma or a profile speaks of.
  CHECK(rgb({1, 1, 8, 0, false, bytes({0, 9}), {png_chunk("tRNS", bytes({0, 9}))}}) == Bytes{9, 9, 9});
  CHECK(rgb({1, 1, 8, 0, false, bytes({0, 9}), {png_chunk("gAMA", big_endian(100000))}}) == Bytes{9, 9, 9});
}

TEST_CASE("PNG: interlaced rows") {
  // 3 x 2 pixels come in Adam7's passes 1 (0,0), 4 (2,0), 6 (1,0) and 7 (the second row).
  const std::string rows = bytes({0, 10, 0, 30, 0, 20, 0, 40, 50, 60});
  CHECK(rgb({3, 2, 8, 0, true, rows, {}}) ==
        Bytes{10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40, 50, 50, 50, 60, 60, 60});
}

TEST_CASE("PNG: nothing is inflated beyond the last row") {
  const PngParts one{1, 1, 8, 0, false, bytes({0, 9}), {}};
  PngParts bomb = one;
  bomb.rows += std::string(100000, '\0');
  CHECK(error_of([&] { rgb(bomb); }) == "cannot be decoded (data go on behind the last row)");
  // Texts that would inflate are not looked at, whatever they hold.
  PngParts text = one;
  text.between = {png_chunk("zTXt", std::string("Comment\0\0", 9) + stored_zlib(std::string(100000, 'x'))),
                  png_chunk("iCCP", std::string("broken\0\0", 8) + "no zlib stream")};
  CHECK(rgb(text) == Bytes{9, 9, 9});
}

TEST_CASE("PNG: damaged and truncated files are errors") {
  const std::string whole = make_png({2, 2, 8, 2, false, bytes({0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12}), {}});
  REQUIRE(error_of([&] { decode_image(whole); }).empty());
  for (std::size_t length = 8; length < whole.size(); ++length) {
    INFO(length);
    CHECK(error_of([&] { decode_image(whole.substr(0, length)); }) == "the file is truncated");
  }
  std::string wrong = whole;
  wrong[wrong.size() - 20] ^= 1;  // of the pixels or their checksum
  CHECK_FALSE(error_of([&] { decode_image(wrong); }).empty());
  CHECK(contains(error_of([] { decode_image(make_png({0, 1, 8, 0, false, "", {}})); }), "a size of 0x1"));
  CHECK(contains(error_of([] { decode_image(make_png({0x80000000, 1, 8, 0, false, "", {}})); }), "a size of "));
  CHECK(error_of([] {
          decode_image(make_png({1u << 16, 1u << 16, 8, 0, false, "", {}}));
        }) == "65536x65536 is larger than 512 megapixels");
  CHECK(error_of([] {
          decode_image(make_png({2u << 20, 1, 8, 0, false, "", {}}));
        }) == "2097152x1 is longer than 1048576 pixels");
}
