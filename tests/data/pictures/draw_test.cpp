#include "data/pictures/draw.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/support/catch.h"

using namespace diopter;

namespace {

constexpr Colour kRed = {255, 0, 0};

Image black(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height, 0)};
}

Colour colour_at(const Image& image, int x, int y) {
  const std::uint8_t* p = image.pixel(x, y);
  return {p[0], p[1], p[2]};
}

int count(const Image& image, Colour colour) {
  int pixels = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) pixels += colour_at(image, x, y) == colour;
  }
  return pixels;
}

}  // namespace

TEST_CASE("a box is drawn as its outline") {
  Image image = black(40, 30);
  draw_box(image, {5, 6, 15, 12}, "", kRed);
  CHECK(count(image, kRed) == 2 * 10 + 2 * 4);  // 10 x 6 pixels, one pixel wide
  for (const auto& [x, y] : {std::pair(5, 6), std::pair(14, 6), std::pair(5, 11), std::pair(14, 11)}) {
    CHECK(colour_at(image, x, y) == kRed);
  }
  CHECK(colour_at(image, 6, 7) == Colour{0, 0, 0});
  CHECK(colour_at(image, 15, 12) == Colour{0, 0, 0});

  Image large = black(800, 800);
  draw_box(large, {100, 100, 300, 300}, "", kRed);
  CHECK(count(large, kRed) == 200 * 200 - 192 * 192);  // four pixels wide
}

TEST_CASE("boxes outside, without size or without sense do no harm") {
  Image image = black(20, 10);
  draw_box(image, {-100, -100, 100, 100}, "", kRed);
  CHECK(count(image, kRed) == 2 * 20 + 2 * 8);
  image = black(20, 10);
  const float nan = std::strtof("nan", nullptr);
  draw_box(image, {nan, 0, 5, 5}, "label", kRed);
  draw_box(image, {5, 5, 4, 9}, "label", kRed);
  draw_box(image, {50, 50, 60, 60}, "", kRed);
  draw_box(image, {7, 3, 7, 3}, "", kRed);
  CHECK(count(image, kRed) == 0);
  draw_box(image, {-1e30f, -1e30f, 1e30f, 1e30f}, "a label that is much too long for this picture", kRed);
  CHECK(count(image, kRed) > 0);
  Image empty;
  draw_box(empty, {0, 0, 5, 5}, "label", kRed);
  CHECK(empty.rgb.empty());
}

TEST_CASE("the label stands on a filled background above the box, or inside it") {
  Image image = black(120, 80);
  draw_box(image, {20, 30, 100, 70}, "cat 0.97", kRed);
  CHECK(colour_at(image, 20, 29) == kRed);
  CHECK(colour_at(image, 20, 18) == kRed);
  CHECK(colour_at(image, 20, 17) == Colour{0, 0, 0});
  CHECK(colour_at(image, 20, 31) == kRed);             // the outline
  CHECK(colour_at(image, 25, 35) == Colour{0, 0, 0});  // nothing inside
  CHECK(count(image, {255, 255, 255}) > 40);           // white letters on red

  Image at_top = black(120, 80);
  draw_box(at_top, {20, 5, 100, 70}, "cat 0.97", kRed);
  CHECK(colour_at(at_top, 20, 4) == Colour{0, 0, 0});
  CHECK(count(at_top, {255, 255, 255}) == count(image, {255, 255, 255}));

  Image bright = black(120, 80);
  draw_box(bright, {20, 30, 100, 70}, "cat", {255, 255, 0});
  CHECK(colour_at(bright, 21, 20) == Colour{255, 255, 0});
  CHECK(count(bright, {255, 255, 255}) == 0);  // black letters on yellow
}

TEST_CASE("letters have their shape") {
  Image image = black(60, 40);
  draw_box(image, {0, 20, 60, 40}, "L", {0, 0, 255});
  std::string seen;
  for (int y = 8; y < 20; ++y) {
    for (int x = 0; x < 9; ++x) seen += colour_at(image, x, y) == Colour{255, 255, 255} ? '#' : '.';
    seen += '\n';
  }
  CHECK(seen ==
        ".........\n"
        ".........\n"
        "..#......\n"
        "..#......\n"
        "..#......\n"
        "..#......\n"
        "..#......\n"
        "..#......\n"
        "..####...\n"
        ".........\n"
        ".........\n"
        ".........\n");
}

TEST_CASE("characters outside of ASCII are shown as question marks") {
  Image expected = black(100, 60), image = black(100, 60), control = black(100, 60);
  draw_box(expected, {0, 30, 50, 50}, "b?r", kRed);
  draw_box(image, {0, 30, 50, 50}, "b\xC3\xA4r", kRed);  // one character of two bytes
  draw_box(control, {0, 30, 50, 50}, "b\nr", kRed);
  CHECK(image.rgb == expected.rgb);
  CHECK(control.rgb == expected.rgb);
}

TEST_CASE("neighbouring classes have colours well apart") {
  for (int category = 0; category < 90; ++category) {
    const Colour a = class_colour(category), b = class_colour(category + 1);
    int distance = 0;
    for (int c = 0; c < 3; ++c) distance += std::abs(a[c] - b[c]);
    INFO("classes " << category << " and " << category + 1);
    CHECK(distance > 150);
  }
}

TEST_CASE("pictures are enlarged by whole factors") {
  Image image = black(3, 2);
  for (int i = 0; i < 6; ++i) image.rgb[3 * static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
  Image large = image;
  REQUIRE(enlarge(large, 5) == 3);
  REQUIRE(large.width == 9);
  REQUIRE(large.height == 6);
  REQUIRE(large.rgb.size() == 9 * 6 * 3);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 9; ++x) CHECK(colour_at(large, x, y) == colour_at(image, x / 3, y / 3));
  }
  CHECK(enlarge(image, 2) == 1);
  CHECK(image.width == 3);
}

TEST_CASE("a long picture is not enlarged beyond bounds, and is reduced to what a file can hold") {
  Image strip = black(2000, 10);
  CHECK(enlarge(strip, 384) == 2);
  CHECK(strip.width == 4000);
  CHECK(strip.height == 20);
  const Image longer = draw_detections(black(20000, 10), {}, {}, {}, 0.5f);
  CHECK(longer.width == 20000);
  CHECK(longer.height == 10);

  Image pixels = black(7, 2);
  for (int x = 0; x < 7; ++x) pixels.pixel(x, 0)[0] = static_cast<std::uint8_t>(x);
  CHECK(reduce(pixels, 7) == 1);
  CHECK(reduce(pixels, 3) == 3);
  CHECK(pixels.width == 3);
  CHECK(pixels.height == 1);
  for (int x = 0; x < 3; ++x) CHECK(pixels.pixel(x, 0)[0] == 3 * x);

  // A box on the last of five million pixels is on the last one drawn.
  const std::vector<DetectedBox> detections{{{4999000, 0, 5000000, 1}, 0, 0.9f}};
  const Image drawn = draw_detections(black(5000000, 1), {}, detections, {"thing"}, 0.5f);
  CHECK(drawn.width <= 65535);
  CHECK(drawn.height == 1);
  CHECK(*std::max_element(drawn.pixel(drawn.width - 12, 0), drawn.pixel(drawn.width - 1, 0)) > 0);
  CHECK(*std::max_element(drawn.pixel(0, 0), drawn.pixel(1000, 0)) == 0);
}

TEST_CASE("detections are drawn on the enlarged picture") {
  const Image image = black(32, 32);
  const std::vector<DetectedBox> detections{{{8, 8, 24, 24}, 0, 0.9f}, {{2, 2, 30, 30}, 0, 0.1f}};
  const auto lit = [](const Image& picture) {
    std::size_t count = 0;
    for (std::uint8_t v : picture.rgb) count += v > 0;
    return count;
  };
  const Image drawn = draw_detections(image, {}, detections, {"thing"}, 0.5f);
  CHECK(drawn.width == 384);
  CHECK(lit(drawn) > 0);
  CHECK(lit(draw_detections(image, {}, detections, {"thing"}, 0.05f)) > lit(drawn));
  CHECK(lit(draw_detections(image, {}, detections, {"thing"}, 0.95f)) == 0);
}

TEST_CASE("a crop has half of the longer side around the box, and ends with the picture") {
  CHECK(window_around({20, 15, 10, 4}, 60, 40) == Window{15, 10, 20, 14});
  CHECK(window_around({50, 30, 20, 20}, 60, 40) == Window{40, 20, 20, 20});
  CHECK(window_around({200, 200, 5, 5}, 60, 40).width == 0);
}
