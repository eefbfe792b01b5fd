#include "data/pictures/formats/stb_pictures.h"

#include <string>

#include "data/pictures/image.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

/// A GIF file of one frame of 1 x 1 pixels on a canvas of this size.
std::string gif(int width, int height) {
  const auto number = [](int n) { return std::string{static_cast<char>(n & 0xFF), static_cast<char>(n >> 8)}; };
  using namespace std::string_literals;
  return "GIF89a" + number(width) + number(height) + "\x80\0\0"s + "\0\0\0\xFF\xFF\xFF"s +  // two colours
         ",\0\0\0\0\1\0\1\0\0"s + "\2\2\x44\1\0;"s;
}

TEST_CASE("GIF: a canvas of more pixels than the bytes of the file can tell is refused before memory is taken") {
  const std::size_t bytes = gif(1, 1).size();
  CHECK(bytes == 35);
  const Image image = decode_image(gif(350, 400));
  CHECK(image.width == 350);
  CHECK(image.height == 400);
  CHECK(stb_header(gif(4096, 35)).width == 4096);
  CHECK(test::error_of([&] { stb_header(gif(4097, 35)); }) == "cannot be decoded (4097x35 pixels in 35 bytes)");
  CHECK(test::error_of([&] { decode_image(gif(9985, 767)); }) == "cannot be decoded (9985x767 pixels in 35 bytes)");
}

}  // namespace
}  // namespace diopter
