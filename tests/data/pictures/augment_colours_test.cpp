#include <algorithm>
#include <cmath>
#include <utility>

#include "data/pictures/augment.h"
#include "tests/data/pictures/augmented.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("photometric changes stay within the range of pixels and do what they say") {
  const Image image = patterned(16, 16);
  const ImageRecord record = record_of(image, {});
  const Sample before = prepare(image, record, keep(16), kRaw);
  const auto changed = [&](AugmentOptions options, std::uint64_t seed) {
    Philox random(seed, 0);
    return augment(image, record, keep(16), options, kRaw, random).pixels;
  };
  AugmentOptions none = nothing(), tiny = nothing(), brightness = nothing(), saturation = nothing(), hue = nothing();
  CHECK(changed(none, 9) == before.pixels);

  tiny.brightness = tiny.contrast = tiny.saturation = tiny.hue = 1e-6f;
  require_close(changed(tiny, 9), before.pixels, 1e-5);

  brightness.brightness = 0.5f;
  const std::vector<float> bright = changed(brightness, 9);
  const float factor = bright[3] / before.pixels[3];
  CHECK(std::abs(factor - 1) <= 0.5f);
  CHECK(factor != 1);
  for (std::size_t i = 0; i < bright.size(); ++i) {
    REQUIRE(bright[i] == Approx(std::min(255.0f, before.pixels[i] * factor)).margin(1e-3));
  }

  // Brighter than white is white, before anything else changes.
  const Image white{2, 1, {255, 255, 255, 200, 200, 200}};
  int brighter = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Philox random(seed, 0);
    const float first = augment(white, record_of(white, {}), keep(1), brightness, kRaw, random).pixels[0];
    REQUIRE(first <= 255);
    brighter += first == 255;
  }
  CHECK(brighter > 4);

  // Contrast is about the mean grey, which stays: of these pixels, 120.
  const Image greys{3, 1, {100, 100, 100, 120, 120, 120, 140, 140, 140}};
  AugmentOptions contrast = nothing();
  contrast.contrast = 0.5f;
  Philox contrast_random(9, 0);
  const std::vector<float> spread =
      augment(greys, record_of(greys, {}), keep(1), contrast, kRaw, contrast_random).pixels;
  CHECK(spread[0] != 100);
  CHECK(spread[3] == Approx(120));
  CHECK(spread[0] + spread[6] == Approx(240));

  // Channels are turned around behind all of it.
  Normalisation bgr = kRaw;
  bgr.bgr = true;
  AugmentOptions all = nothing();
  all.brightness = all.contrast = all.saturation = all.hue = 0.4f;
  Philox rgb_random(9, 0), bgr_random(9, 0);
  std::vector<float> turned = augment(image, record, keep(16), all, bgr, bgr_random).pixels;
  for (std::size_t i = 0; i < turned.size(); i += 3) std::swap(turned[i], turned[i + 2]);
  CHECK(turned == augment(image, record, keep(16), all, kRaw, rgb_random).pixels);
  CHECK(turned != before.pixels);

  // Grey pixels stay as they are under saturation and hue.
  Image grey = image;
  for (std::size_t i = 0; i < grey.rgb.size(); ++i) grey.rgb[i] = grey.rgb[i / 3 * 3];
  saturation.saturation = 0.9f;
  hue.hue = 0.5f;
  for (const AugmentOptions& options : {saturation, hue}) {
    Philox random(12, 0);
    const Sample sample = augment(grey, record, keep(16), options, kRaw, random);
    require_close(sample.pixels, prepare(grey, record, keep(16), kRaw).pixels, Tolerance::elementwise);
    CHECK(changed(options, 12) != before.pixels);
  }

  AugmentOptions wild = nothing();
  wild.brightness = wild.contrast = wild.saturation = 1;
  wild.hue = 0.5f;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const float v : changed(wild, seed)) REQUIRE((v >= 0 && v <= 255));
  }
}

TEST_CASE("a hue rotation by a third of a turn permutes the channels") {
  const Image red{1, 1, {200, 0, 0}};
  AugmentOptions options = nothing();
  options.hue = 1.0f / 3;
  // Rotations are drawn from [-1/3, 1/3) of a turn: the strongest ones come close to pure green or blue.
  float most_green = 0, most_blue = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Philox random(2, i);
    const std::vector<float> rgb = augment(red, record_of(red, {}), keep(1), options, kRaw, random).pixels;
    if (rgb[0] < 5 && rgb[2] < 5) most_green = std::max(most_green, rgb[1]);
    if (rgb[0] < 5 && rgb[1] < 5) most_blue = std::max(most_blue, rgb[2]);
  }
  CHECK(most_green > 195);
  CHECK(most_blue > 195);
}
