// Parts of a picture file against the picture decoded at once.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "data/pictures/picture_reader.h"
#include "data/tiles.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter::test {

/// Cuts the file's picture into small parts from its top down, then some that go up and down again and leave out rows.
/// `by_rows`: whether it must not be decoded at once.
inline void check_parts(const std::string& file, bool by_rows = true, int white = kFullRange) {
  const Image whole = read_image(file, white);
  const std::unique_ptr<PictureRows> rows = open_rows(file, white);
  REQUIRE((rows != nullptr) == by_rows);
  if (rows) {
    std::vector<std::uint8_t> rgb(whole.rgb.size());
    const int upper = whole.height / 3;
    rows->read(0, upper, rgb.data());
    rows->read(upper, whole.height - upper, rgb.data() + std::ptrdiff_t{3} * whole.width * upper);
    CHECK((rgb == whole.rgb));
    CHECK(rows->greatest() == whole.greatest);
    CHECK(rows->more() == whole.more);
    CHECK_FALSE(error_of([&] { rows->read(0, 1, rgb.data()); }).empty());
  }
  PictureReader reader(file, white);
  REQUIRE(reader.width() == whole.width);
  REQUIRE(reader.height() == whole.height);
  CHECK(reader.more() == whole.more);
  const auto check = [&](const Window& window) {
    INFO("window at (" << window.x << ", " << window.y << ")");
    const Image part = reader.cut(window);
    CHECK(part.width == window.width);
    CHECK(part.height == window.height);
    CHECK((part.rgb == cut(whole, window).rgb));
  };
  for (const Window& window : views_of({.size = 7, .overlap = 0.3, .whole = false}, whole.width, whole.height)) {
    check(window);
  }
  const int last = whole.height - 1, middle = whole.height / 2;
  for (const int y : {middle, last, 0, last, middle, middle}) check({whole.width / 2, y, 1, 1});
  check({0, 0, whole.width, whole.height});
  check({0, middle, whole.width, whole.height - middle});
}

}  // namespace diopter::test
