#include "data/pictures/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/data/pictures/augmented.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// White rectangle on black.
Image with_rectangle(int width, int height, int x1, int y1, int x2, int y2) {
  Image image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3)};
  for (int y = y1; y < y2; ++y) {
    for (int x = x1; x < x2; ++x) std::fill_n(image.pixel(x, y), 3, std::uint8_t{255});
  }
  return image;
}

/// Tight box of the pixels brighter than half; empty (x2 < x1) without any.
Box bright_box(const Sample& sample) {
  Box box{1e9f, 1e9f, -1e9f, -1e9f};
  for (int y = 0; y < sample.height; ++y) {
    for (int x = 0; x < sample.width; ++x) {
      if (sample.pixels[(static_cast<std::size_t>(y) * sample.width + x) * 3] < 128) continue;
      const float fx = static_cast<float>(x), fy = static_cast<float>(y);
      box = {std::min(box.x1, fx), std::min(box.y1, fy), std::max(box.x2, fx + 1), std::max(box.y2, fy + 1)};
    }
  }
  return box;
}

void require_near(const Box& actual, const Box& expected, float tolerance) {
  INFO("box " << actual.x1 << ' ' << actual.y1 << ' ' << actual.x2 << ' ' << actual.y2);
  INFO("expected " << expected.x1 << ' ' << expected.y1 << ' ' << expected.x2 << ' ' << expected.y2);
  REQUIRE(std::abs(actual.x1 - expected.x1) <= tolerance);
  REQUIRE(std::abs(actual.y1 - expected.y1) <= tolerance);
  REQUIRE(std::abs(actual.x2 - expected.x2) <= tolerance);
  REQUIRE(std::abs(actual.y2 - expected.y2) <= tolerance);
}

std::pair<int, int> resized(const ResizeRule& rule, int min_size, int width, int height) {
  int w = 0, h = 0;
  resized_size(rule, min_size, width, height, w, h);
  return {w, h};
}

}  // namespace

TEST_CASE("sizes after resizing are those of the reference implementations") {
  ResizeRule rule;  // torchvision's: 800, at most 1333, floored
  CHECK(resized(rule, 800, 640, 480) == std::pair(1066, 800));
  CHECK(resized(rule, 800, 480, 640) == std::pair(800, 1066));
  CHECK(resized(rule, 800, 640, 426) == std::pair(1201, 800));
  CHECK(resized(rule, 800, 500, 333) == std::pair(1201, 800));
  CHECK(resized(rule, 800, 1000, 300) == std::pair(1333, 399));  // the longer side limits
  CHECK(resized(rule, 800, 5000, 1) == std::pair(1333, 1));      // never less than a pixel
  CHECK(resized(rule, 800, 1, 5000) == std::pair(1, 1333));

  int short_of_800 = 0;  // retinanet-facts: scaling in double gives 799 for 57 of the shorter sides up to 1333
  for (int side = 1; side <= 1333; ++side) short_of_800 += resized(rule, 800, side, side).first == 799;
  CHECK(short_of_800 == 57);

  rule.round = true;  // detectron2's
  CHECK(resized(rule, 800, 640, 480) == std::pair(1067, 800));
  for (int side = 1; side <= 1333; ++side) REQUIRE(resized(rule, 800, side, side).first == 800);

  rule = {.kind = ResizeRule::Kind::longer_side, .min_sizes = {}, .max_size = 320, .round = false};
  CHECK(resized(rule, 0, 500, 333) == std::pair(320, 213));
  CHECK(resized(rule, 0, 500, 337) == std::pair(320, 215));  // 215.68
  for (int side = 1; side <= 1333; ++side) REQUIRE(resized(rule, 0, side, 1).first == 320);
  rule.round = true;
  CHECK(resized(rule, 0, 500, 335) == std::pair(320, 214));
  CHECK(resized(rule, 0, 500, 337) == std::pair(320, 216));

  CHECK(resized(exact(160), 0, 640, 480) == std::pair(160, 160));
  CHECK_THROWS(resized(rule, 0, 0, 5));
}

TEST_CASE("a picture that would be enlarged beyond the limit is an error before it takes memory") {
  ResizeRule rule;
  rule.kind = ResizeRule::Kind::exact;
  rule.max_size = 30000;
  ImageRecord record;
  record.name = "a.png";
  const Image image{2, 1, std::vector<std::uint8_t>(6)};
  CHECK(error_of([&] { prepare(image, record, rule, {}); }) ==
        "a.png, resized: pixels at the network's input: 900000000, at most 67108864");
}

TEST_CASE("prepare normalises, resizes and scales the boxes") {
  const Image image = patterned(40, 20);
  const ImageRecord record = record_of(image, {annotation(3, {4, 6, 10, 8}), annotation(1, {35, 15, 50, 50}),
                                               annotation(1, {5, 5, 0, 0}), annotation(2, {39.5, 0, 8, 8})});
  Normalisation norm;
  Sample sample = prepare(image, record, keep(20), norm);
  REQUIRE(sample.width == 40);
  REQUIRE(sample.height == 20);
  CHECK(sample.image_id == 7);
  CHECK(sample.original_width == 40);
  CHECK(sample.original_height == 20);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const std::size_t c = i % 3;
    REQUIRE(sample.pixels[i] == (static_cast<float>(image.rgb[i]) / 255 - norm.mean[c]) / norm.std[c]);
  }
  REQUIRE(sample.targets.size() == 2);  // one has no size, one less than a pixel inside
  CHECK(sample.targets[0].box == Box{4, 6, 14, 14});
  CHECK(sample.targets[0].label == 3);
  CHECK(sample.targets[1].box == Box{35, 15, 40, 20});

  sample = prepare(image, record, exact(20), norm);
  CHECK(sample.targets[0].box == Box{2, 6, 7, 14});
  REQUIRE(sample.pixels.size() == 20 * 20 * 3);
  // Half the width: the mean of two neighbours.
  const float mean = 0.5f * (static_cast<float>(image.rgb[0]) + static_cast<float>(image.rgb[3]));
  CHECK(sample.pixels[0] == Approx((mean / 255 - norm.mean[0]) / norm.std[0]).margin(1e-5));

  norm.bgr = true;
  sample = prepare(image, record, keep(20), norm);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const std::size_t c = i % 3;
    REQUIRE(sample.pixels[i] == (static_cast<float>(image.rgb[i - c + 2 - c]) / 255 - norm.mean[c]) / norm.std[c]);
  }
}

TEST_CASE("boxes of a pixel are kept, smaller ones are not") {
  const Image image = patterned(8, 8);
  const auto kept = [&](Rect rect) {
    return prepare(image, record_of(image, {annotation(0, rect)}), keep(8), kRaw).targets.size();
  };
  CHECK(kept({2, 3, 1, 1}) == 1);
  CHECK(kept({7, 7, 5, 5}) == 1);  // what lies in the picture
  CHECK(kept({2, 3, 0.875, 1}) == 0);
  CHECK(kept({2, 3, 1, 0.875}) == 0);
}

TEST_CASE("augmenting with everything off is preparing") {
  const Image image = patterned(33, 47);
  const ImageRecord record = record_of(image, {annotation(0, {1.5, 2.5, 20, 30})});
  const Sample expected = prepare(image, record, exact(24), Normalisation());
  Philox random(1, 2);
  const Sample sample = augment(image, record, exact(24), nothing(), Normalisation(), random);
  CHECK(sample.pixels == expected.pixels);
  REQUIRE(sample.targets.size() == 1);
  CHECK(sample.targets[0].box == expected.targets[0].box);
}

TEST_CASE("a flip mirrors pixels and boxes") {
  const Image image = patterned(10, 4);
  const ImageRecord record = record_of(image, {annotation(0, {1, 1, 3, 2})});
  AugmentOptions options = nothing();
  options.flip = 1;
  Philox random(3, 4);
  const Sample sample = augment(image, record, keep(4), options, kRaw, random);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 10; ++x) {
      for (int c = 0; c < 3; ++c) REQUIRE(sample.pixels[(y * 10 + x) * 3 + c] == image.pixel(9 - x, y)[c]);
    }
  }
  REQUIRE(sample.targets.size() == 1);
  CHECK(sample.targets[0].box == Box{6, 1, 9, 3});
}

TEST_CASE("a vertical flip turns pixels and boxes upside down") {
  const Image image = patterned(10, 4);
  const ImageRecord record = record_of(image, {annotation(0, {1, 1, 3, 2.5})});
  AugmentOptions options = nothing();
  options.vertical_flip = 1;
  Philox random(3, 4);
  const Sample sample = augment(image, record, keep(4), options, kRaw, random);
  REQUIRE(sample.width == 10);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 10; ++x) {
      for (int c = 0; c < 3; ++c) REQUIRE(sample.pixels[(y * 10 + x) * 3 + c] == image.pixel(x, 3 - y)[c]);
    }
  }
  REQUIRE(sample.targets.size() == 1);
  CHECK(sample.targets[0].box == Box{1, 0.5f, 4, 3});
}

TEST_CASE("a turn is one by 90, 180 or 270 degrees, each as likely, of pixels and boxes") {
  const Image image = patterned(10, 4);
  const ImageRecord record = record_of(image, {annotation(0, {1, 1, 3, 2.5})});
  AugmentOptions options = nothing();
  options.turn = 1;
  int upside_down = 0, clockwise = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Philox random(21, i);
    const Sample sample = augment(image, record, keep(4), options, kRaw, random);
    REQUIRE(sample.targets.size() == 1);
    const Box& box = sample.targets[0].box;
    const auto is = [&](int x, int y, int of_x, int of_y) {
      return sample.pixels[(y * sample.width + x) * 3] == image.pixel(of_x, of_y)[0];
    };
    if (sample.width == 10) {
      ++upside_down;
      REQUIRE(box == Box{6, 0.5f, 9, 3});
      for (int y = 0; y < 4; ++y) {
        for (int x = 0; x < 10; ++x) REQUIRE(is(x, y, 9 - x, 3 - y));
      }
      continue;
    }
    REQUIRE(sample.width == 4);
    REQUIRE(sample.height == 10);
    const bool left_comes_up = is(0, 0, 0, 3);
    clockwise += left_comes_up;
    REQUIRE(box == (left_comes_up ? Box{0.5f, 1, 3, 4} : Box{1, 6, 3.5f, 9}));
    for (int y = 0; y < 10; ++y) {
      for (int x = 0; x < 4; ++x) REQUIRE((left_comes_up ? is(x, y, y, 3 - x) : is(x, y, 9 - y, x)));
    }
  }
  for (const int count : {upside_down, clockwise, 300 - upside_down - clockwise}) CHECK(count > 70);
}

TEST_CASE("a vertical flip comes on top of a turn") {
  const Image image = patterned(10, 4);
  AugmentOptions options = nothing();
  options.turn = options.vertical_flip = 1;
  int lying = 0, transposed = 0, other = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Philox random(22, i);
    const Sample sample = augment(image, record_of(image, {}), keep(4), options, kRaw, random);
    const auto starts_with = [&](int x, int y) { return sample.pixels[0] == image.pixel(x, y)[0]; };
    if (sample.width == 10) {  // half a turn, flipped: left and right are exchanged
      REQUIRE(starts_with(9, 0));
      ++lying;
    } else {  // a quarter, flipped: one of the diagonals stays
      transposed += starts_with(0, 0);
      other += starts_with(9, 3);
    }
  }
  REQUIRE(lying + transposed + other == 300);
  for (const int count : {lying, transposed, other}) CHECK(count > 70);
}

TEST_CASE("boxes follow the picture through flips, turns, crops and scale jitter") {
  AugmentOptions options;
  options.flip = options.vertical_flip = 0.5f;
  options.turn = 0.75f;
  options.crop = 0.7f;
  options.scale_min = 0.5f;
  options.scale_max = 2.0f;
  int seen = 0, smaller = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const int x1 = static_cast<int>(i * 7 % 40), y1 = static_cast<int>(i * 5 % 25);
    const int x2 = x1 + 12 + static_cast<int>(i % 20), y2 = y1 + 10 + static_cast<int>(i % 13);
    const Image image = with_rectangle(80, 50, x1, y1, x2, y2);
    const ImageRecord record =
        record_of(image, {annotation(5, {double(x1), double(y1), double(x2 - x1), double(y2 - y1)})});
    Philox random(11, i);
    const Sample sample = augment(image, record, exact(96), options, kRaw, random);
    REQUIRE(sample.width <= 96);
    REQUIRE(sample.height <= 96);
    smaller += sample.width < 96;
    if (sample.targets.empty()) continue;  // an enlarging jitter cut its centre away
    ++seen;
    require_near(sample.targets[0].box, bright_box(sample), 1.01f);
  }
  CHECK(seen > 200);
  CHECK(smaller > 50);
}

TEST_CASE("a crop keeps the centre of a box and drops those whose centre it cuts away") {
  const Image image = patterned(100, 60);
  const ImageRecord one = record_of(image, {annotation(0, {70, 40, 20, 10})});
  const ImageRecord two = record_of(image, {annotation(0, {2, 2, 6, 6}), annotation(1, {90, 50, 8, 8})});
  AugmentOptions options = nothing();
  options.crop = 1;
  options.crop_min = 0.3f;
  const ResizeRule rule = keep(30);
  int dropped = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Philox random(5, i), same(5, i);
    REQUIRE(augment(image, one, rule, options, kRaw, random).targets.size() == 1);
    const std::size_t left = augment(image, two, rule, options, kRaw, same).targets.size();
    REQUIRE(left >= 1);
    dropped += left == 1;
  }
  CHECK(dropped > 100);
}

TEST_CASE("a crop has the centres from its first pixel up to, and without, its end") {
  Image image{24, 16, std::vector<std::uint8_t>(24 * 16 * 3)};  // each pixel says where it lies
  std::vector<Annotation> annotations;                          // around each corner of four pixels
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      image.pixel(x, y)[0] = static_cast<std::uint8_t>(x);
      image.pixel(x, y)[1] = static_cast<std::uint8_t>(y);
      if (x > 0 && y > 0) annotations.push_back(annotation(y * image.width + x, {x - 1.0, y - 1.0, 2, 2}));
    }
  }
  const ImageRecord record = record_of(image, annotations);
  AugmentOptions options = nothing();
  options.crop = 1;
  options.crop_min = 0.3f;
  ResizeRule as_it_is = keep(1000);
  as_it_is.enlarge = false;
  for (std::uint64_t i = 0; i < 50; ++i) {
    Philox random(9, i);
    const Sample sample = augment(image, record, as_it_is, options, kRaw, random);
    const int left = static_cast<int>(sample.pixels[0]), top = static_cast<int>(sample.pixels[1]);
    std::vector<std::int32_t> expected, labels;
    for (int y = std::max(1, top); y < top + sample.height; ++y) {
      for (int x = std::max(1, left); x < left + sample.width; ++x) expected.push_back(y * image.width + x);
    }
    for (const TargetBox& t : sample.targets) labels.push_back(t.label);
    REQUIRE(labels == expected);
  }
}

TEST_CASE("a crop lies anywhere, up to the picture's borders, and is never empty") {
  const Image image = patterned(24, 16), pixel = patterned(1, 1);
  AugmentOptions options = nothing();
  options.crop = 1;
  options.crop_min = 0.2f;
  ResizeRule as_it_is = keep(1000);
  as_it_is.enlarge = false;
  int at_begin = 0, at_end = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Philox random(12, i), same(12, i);
    const Sample sample = augment(image, record_of(image, {}), as_it_is, options, kRaw, random);
    if (sample.width == 24) continue;
    const auto is = [&](int x, int y, int of_x, int of_y) {
      const float* p = &sample.pixels[static_cast<std::size_t>(y * sample.width + x) * 3];
      return std::equal(p, p + 3, image.pixel(of_x, of_y));
    };
    for (int y = 0; y < 16; ++y) at_begin += is(0, 0, 0, y), at_end += is(sample.width - 1, 0, 23, y);
    const Sample least = augment(pixel, record_of(pixel, {}), keep(1), options, kRaw, same);
    REQUIRE(least.pixels.size() == 3);
  }
  CHECK(at_begin > 10);
  CHECK(at_end > 10);
}

TEST_CASE("Pillow's filter leaves left and right where they are, unless there is a flip") {
  const Image image = with_rectangle(20, 10, 0, 0, 6, 10);
  ResizeRule rule = exact(10);
  rule.filter = ResizeRule::Filter::pillow;
  const Sample sample = prepare(image, record_of(image, {}), rule, kRaw);
  CHECK(sample.pixels[0] == 255);
  CHECK(sample.pixels[9 * 3] == 0);
  AugmentOptions options = nothing();
  options.flip = 1;
  Philox random(1, 1);
  const Sample flipped = augment(image, record_of(image, {}), rule, options, kRaw, random);
  CHECK(flipped.pixels[0] == 0);
  CHECK(flipped.pixels[9 * 3] == 255);
}

TEST_CASE("a crop after an enlarging jitter lies anywhere, from the first pixel to the last") {
  const Image image = patterned(3, 3);
  AugmentOptions options = nothing();
  options.scale_min = options.scale_max = 2;
  std::vector<int> left(4), top(4);
  for (std::uint64_t i = 0; i < 400; ++i) {
    Philox random(10, i);
    const PictureBytes view =
        augment(image, record_of(image, {}), exact(3), options, kRaw, random, PixelsBy::device).picture;
    REQUIRE(view.resized_width == 6);
    REQUIRE(view.seen_width == 3);
    ++left.at(view.x);
    ++top.at(view.y);
  }
  for (const int count : left) CHECK(count > 60);
  for (const int count : top) CHECK(count > 60);
}

TEST_CASE("crowds and difficult objects become ignored regions, also where a crop cuts their centre away") {
  const Image image = patterned(100, 60);
  Annotation crowd = annotation(0, {0, 0, 100, 60}), difficult = annotation(1, {10, 10, 20, 20});
  crowd.crowd = true;
  difficult.difficult = true;
  const ImageRecord record = record_of(image, {crowd, difficult, annotation(2, {85, 45, 10, 10})});
  const Sample sample = prepare(image, record, keep(60), kRaw);
  REQUIRE(sample.targets.size() == 3);
  CHECK(sample.targets[0].label == kIgnore);
  CHECK(sample.targets[1].label == kIgnore);
  CHECK(sample.targets[2].label == 2);

  AugmentOptions options = nothing();
  options.crop = 1;
  options.crop_min = 0.2f;
  for (std::uint64_t i = 0; i < 50; ++i) {
    Philox random(6, i);
    const Sample cut = augment(image, record, keep(30), options, kRaw, random);
    REQUIRE(!cut.targets.empty());
    CHECK(cut.targets[0].label == kIgnore);
    const float width = static_cast<float>(cut.width), height = static_cast<float>(cut.height);
    require_near(cut.targets[0].box, {0, 0, width, height}, 1e-4f);
    CHECK(std::count_if(cut.targets.begin(), cut.targets.end(), [](const TargetBox& t) { return t.label == 2; }) == 1);
  }
}

TEST_CASE("one of several sizes is drawn for each picture, evaluation takes the last") {
  const Image image = patterned(30, 20);
  const ImageRecord record = record_of(image, {});
  ResizeRule rule = keep(20);
  rule.min_sizes = {16, 24, 32};
  CHECK(prepare(image, record, rule, kRaw).height == 32);
  int count[3] = {};
  for (std::uint64_t i = 0; i < 90; ++i) {
    Philox random(8, i);
    const int height = augment(image, record, rule, nothing(), kRaw, random).height;
    REQUIRE(height % 8 == 0);
    ++count[(height - 16) / 8];
  }
  for (const int c : count) CHECK(c > 15);
}

TEST_CASE("scale jitter, crops and colours rise from none to their strength, flips and turns are what they are") {
  const AugmentOptions options{.flip = 0.5f,
                               .vertical_flip = 0.25f,
                               .turn = 0.75f,
                               .scale_min = 0.5f,
                               .scale_max = 2,
                               .crop = 0.4f,
                               .crop_min = 0.3f,
                               .brightness = 0.1f,
                               .contrast = 0.2f,
                               .saturation = 0.3f,
                               .hue = 0.05f,
                               .ramp_epochs = 4};
  for (const std::int64_t epoch : {0, 1, 3, 4, 5, 1000000}) {
    const AugmentOptions now = in_epoch(options, epoch);
    const float share = epoch < 4 ? static_cast<float>(epoch) / 4 : 1;
    CHECK(now.flip == 0.5f);
    CHECK(now.vertical_flip == 0.25f);
    CHECK(now.turn == 0.75f);
    CHECK(now.crop_min == 0.3f);
    CHECK(now.scale_min == Approx(1 - 0.5f * share));
    CHECK(now.scale_max == Approx(1 + share));
    CHECK(now.crop == Approx(0.4f * share));
    CHECK(now.brightness == Approx(0.1f * share));
    CHECK(now.contrast == Approx(0.2f * share));
    CHECK(now.saturation == Approx(0.3f * share));
    CHECK(now.hue == Approx(0.05f * share));
  }
  AugmentOptions at_once = options;
  at_once.ramp_epochs = 0;
  CHECK(in_epoch(at_once, 0).crop == 0.4f);
}

TEST_CASE("switching one change on leaves the random numbers of the others as they were") {
  const Image image = patterned(30, 20);
  const ImageRecord record = record_of(image, {annotation(0, {3, 3, 10, 10})});
  for (std::uint64_t i = 0; i < 20; ++i) {
    AugmentOptions flip = nothing(), both = nothing();
    flip.flip = both.flip = 0.5f;
    both.brightness = 0.4f;
    Philox a(4, i), b(4, i);
    const Sample first = augment(image, record, keep(20), flip, kRaw, a);
    const Sample second = augment(image, record, keep(20), both, kRaw, b);
    REQUIRE(first.targets[0].box == second.targets[0].box);
    REQUIRE(a.next() == b.next());
  }
}
