#include "data/shapes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

namespace {

ImageRecord record_of(const ShapesOptions& options, std::uint64_t index) {
  ImageRecord record;
  make_shapes_image(options, index, record);
  return record;
}

/// Tight box of the pixels that differ.
Box difference_box(const Image& a, const Image& b) {
  Box box{1e9f, 1e9f, -1e9f, -1e9f};
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < a.width; ++x) {
      if (std::equal(a.pixel(x, y), a.pixel(x, y) + 3, b.pixel(x, y))) continue;
      const float fx = static_cast<float>(x), fy = static_cast<float>(y);
      box = {std::min(box.x1, fx), std::min(box.y1, fy), std::max(box.x2, fx + 1), std::max(box.y2, fy + 1)};
    }
  }
  return box;
}

}  // namespace

TEST_CASE("a picture of shapes depends on the options and its index only") {
  ShapesOptions options;
  ImageRecord first, again, other;
  const Image a = make_shapes_image(options, 5, first), b = make_shapes_image(options, 5, again);
  CHECK(a.rgb == b.rgb);
  REQUIRE(first.annotations.size() == again.annotations.size());
  CHECK(make_shapes_image(options, 6, other).rgb != a.rgb);
  options.seed = 1;
  CHECK(make_shapes_image(options, 5, other).rgb != a.rgb);
  CHECK(a.width == 64);
  CHECK(a.height == 64);
}

TEST_CASE("annotations are tight about what is drawn") {
  ShapesOptions options;
  options.min_objects = options.max_objects = 1;
  options.distractors = 0;
  options.noise = options.empty = 0;
  ShapesOptions invisible = options;
  invisible.contrast = 0;
  std::set<int> classes;
  for (std::uint64_t i = 0; i < 60; ++i) {
    options.size = invisible.size = i % 2 ? 64 : 200;
    ImageRecord record, same;
    const Image image = make_shapes_image(options, i, record), ground = make_shapes_image(invisible, i, same);
    REQUIRE(record.annotations.size() == 1);
    const Box box = record.annotations[0].rect.box(), drawn = difference_box(image, ground);
    INFO("picture " << i << ", class " << record.annotations[0].category);
    REQUIRE(std::fabs(box.x1 - drawn.x1) <= 1);
    REQUIRE(std::fabs(box.y1 - drawn.y1) <= 1);
    REQUIRE(std::fabs(box.x2 - drawn.x2) <= 1);
    REQUIRE(std::fabs(box.y2 - drawn.y2) <= 1);
    classes.insert(record.annotations[0].category);
  }
  CHECK(classes == std::set<int>{0, 1, 2});
}

TEST_CASE("number, size and place of objects are as asked for") {
  ShapesOptions options;
  options.size = 128;
  options.min_objects = 2;
  options.max_objects = 6;
  options.min_object_size = 0.1f;
  options.max_object_size = 0.4f;
  options.empty = 0.2f;
  options.noise = 0;
  int empty = 0;
  std::set<std::size_t> numbers;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const ImageRecord record = record_of(options, i);
    if (record.annotations.empty()) {
      ++empty;
      continue;
    }
    numbers.insert(record.annotations.size());
    for (std::size_t a = 0; a < record.annotations.size(); ++a) {
      const Rect& r = record.annotations[a].rect;
      REQUIRE(r.x >= 0);
      REQUIRE(r.y >= 0);
      REQUIRE(r.x + r.w <= 128);
      REQUIRE(r.y + r.h <= 128);
      REQUIRE(std::max(r.w, r.h) >= 0.1 * 128 - 1e-3);
      REQUIRE(std::max(r.w, r.h) <= 0.4 * 128 + 1e-3);
      for (std::size_t b = 0; b < a; ++b) REQUIRE(box_iou(r.box(), record.annotations[b].rect.box()) <= 0.1f);
    }
  }
  CHECK(numbers == std::set<std::size_t>{2, 3, 4, 5, 6});
  CHECK(empty > 20);
  CHECK(empty < 60);
}

TEST_CASE("crowded pictures get their number of objects") {
  ShapesOptions options;
  options.min_objects = options.max_objects = 10;
  options.min_object_size = 0.2f;
  options.max_object_size = 0.9f;
  options.empty = 0;
  for (std::uint64_t i = 0; i < 30; ++i) REQUIRE(record_of(options, i).annotations.size() == 10);
}

TEST_CASE("noise and contrast do what they say") {
  ShapesOptions options;
  options.contrast = 0;
  options.noise = 0;
  ImageRecord record;
  const Image ground = make_shapes_image(options, 3, record);
  for (int y = 0; y < 64; ++y) {  // nothing but a smooth gradient
    for (int x = 1; x < 64; ++x) REQUIRE(std::abs(ground.pixel(x, y)[0] - ground.pixel(x - 1, y)[0]) <= 3);
  }

  options.noise = 0.05f;
  const Image noisy = make_shapes_image(options, 3, record);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < ground.rgb.size(); ++i) {
    const double d = (noisy.rgb[i] - ground.rgb[i]) / 255.0;
    sum += d;
    squares += d * d;
  }
  const double n = static_cast<double>(ground.rgb.size());
  CHECK(sum / n == Approx(0).margin(0.003));
  CHECK(std::sqrt(squares / n) == Approx(0.05).margin(0.003));
}

TEST_CASE("impossible shapes are refused") {
  const auto refused = [](auto change) {
    ShapesOptions options;
    change(options);
    ImageRecord record;
    CHECK_THROWS_AS(make_shapes_image(options, 0, record), Error);
    CHECK_THROWS_AS(write_shapes("/nowhere", 1, 1, options), Error);
  };
  refused([](ShapesOptions& o) { o.size = 15; });
  refused([](ShapesOptions& o) { o.min_objects = 3; });
  refused([](ShapesOptions& o) { o.min_objects = -1; });
  refused([](ShapesOptions& o) { o.min_object_size = 0.5f; });
  refused([](ShapesOptions& o) { o.min_object_size = 0.01f; });
  refused([](ShapesOptions& o) { o.max_object_size = 1.5f; });
  refused([](ShapesOptions& o) { o.max_objects = 50; });
  refused([](ShapesOptions& o) { o.distractors = -1; });
  refused([](ShapesOptions& o) { o.noise = std::numeric_limits<float>::quiet_NaN(); });
  refused([](ShapesOptions& o) { o.contrast = 2; });
  refused([](ShapesOptions& o) { o.empty = -0.1f; });
}

TEST_CASE("shapes are written as a COCO data set") {
  const test::TemporaryFolder folder;
  const std::string images = folder.path("images");
  ShapesOptions options;
  options.size = 32;
  static std::vector<std::pair<int, int>> reports;
  reports.clear();
  write_shapes(folder.path(), 4, 3, options, [](int done, int total) { reports.emplace_back(done, total); });
  REQUIRE(reports.size() == 7);
  for (int i = 0; i < 7; ++i) CHECK(reports[i] == std::pair(i + 1, 7));

  const Dataset train = read_coco(folder.path("instances_train.json"), images);
  const Dataset val = read_coco(folder.path("instances_val.json"), images);
  REQUIRE(train.images.size() == 4);
  REQUIRE(val.images.size() == 3);
  CHECK(train.images[0].name == "000001.png");
  CHECK(val.images[2].name == "000007.png");
  REQUIRE(train.categories.size() == 3);
  CHECK(train.categories[2].name == "triangle");
  ImageRecord record;
  const Image expected = make_shapes_image(options, 1, record), actual = read_image(train.images[1].file);
  CHECK(actual.rgb == expected.rgb);
  REQUIRE(train.images[1].annotations.size() == record.annotations.size());
  for (std::size_t i = 0; i < record.annotations.size(); ++i) {
    CHECK(train.images[1].annotations[i].category == record.annotations[i].category);
    CHECK(train.images[1].annotations[i].rect.x == Approx(record.annotations[i].rect.x));
    CHECK(train.images[1].annotations[i].rect.h == Approx(record.annotations[i].rect.h));
  }
  CHECK(read_image(val.images[0].file).rgb != read_image(train.images[0].file).rgb);

  CHECK_THROWS_AS(write_shapes("/proc/no/such", 1, 1, options), Error);
  CHECK_THROWS_AS(write_shapes(folder.path(), -1, 1, options), Error);
  CHECK_THROWS_AS(write_shapes(folder.path(), 0, 0, options), Error);
}
