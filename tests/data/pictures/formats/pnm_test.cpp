#include "data/pictures/formats/pnm.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes rgb(const std::string& bytes) { return decode_image(bytes).rgb; }

/// Each value three times.
Bytes grey(const Bytes& values) {
  Bytes result;
  for (const std::uint8_t v : values) result.insert(result.end(), 3, v);
  return result;
}

}  // namespace

TEST_CASE("PNM samples are scaled by the greatest value") {
  CHECK(rgb(std::string("P5 3 1 255\n\x00\x50\xFF", 14)) == grey({0, 0x50, 255}));
  CHECK(rgb(std::string("P5 3 1 100\n\x00\x14\x64", 14)) == grey({0, 51, 255}));
  CHECK(rgb(std::string("P5 3 1 1\n\x00\x01\x07", 12)) == grey({0, 255, 255}));  // one is beyond the greatest
  CHECK(rgb("P6 2 1 255\nabcdef") == Bytes{'a', 'b', 'c', 'd', 'e', 'f'});
}

TEST_CASE("PNM samples of 16 bits") {
  const std::string samples("\x00\x00\x10\x00\x40\x00\x80\x00\xC0\x00\xFF\xFF", 12);
  CHECK(rgb("P5 3 2 65535\n" + samples) == grey({0, 16, 64, 128, 192, 255}));
  CHECK(rgb("P6 2 1 65535\n" + samples) == Bytes{0, 16, 64, 128, 192, 255});
  CHECK(rgb("P5 2 1 1000\n" + std::string("\x01\xF4\x03\xE8", 4)) == grey({128, 255}));
}

TEST_CASE("PNM headers have comments and any blanks") {
  CHECK(rgb("P5#by hand\n# and\n\t2\r\n 1 #255\n255\nab") == grey({'a', 'b'}));
  const PictureHeader header = pnm_header("P6\n7 5\n255\n");
  CHECK(std::pair(header.width, header.height) == std::pair(7, 5));
}

TEST_CASE("PNM files that are truncated or make no sense are errors") {
  const std::string whole = "P6 2 2 300\n" + std::string(24, 'x');
  CHECK(error_of([&] { decode_image(whole); }).empty());
  for (std::size_t length = 3; length < whole.size(); ++length) {
    INFO(length);
    CHECK(error_of([&] { decode_image(whole.substr(0, length)); }) == "the file is truncated");
  }
  CHECK(contains(error_of([] { decode_image("P5 0 2 255\nx"); }), "its width is no positive number"));
  CHECK(contains(error_of([] { decode_image("P5 2 -2 255\nx"); }), "its height is no positive number"));
  CHECK(contains(error_of([] { decode_image("P5 2 99999999999 255\nx"); }), "its height is no positive number"));
  CHECK(contains(error_of([] { decode_image("P5 1 1 65536\nxx"); }), "its greatest value is above 65535"));
  CHECK(contains(error_of([] { decode_image("P5 1 1 255x"); }), "no blank"));
  CHECK(contains(error_of([] { decode_image("P3 1 1 255\n1 2 3"); }), "not one of "));
}
