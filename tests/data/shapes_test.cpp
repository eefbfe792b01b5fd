#include "data/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "tests/data/shapes/drawn.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

namespace {

ImageRecord record_of(const ShapesOptions& options, std::uint64_t index) {
  ImageRecord record;
  make_shapes_image(options, index, record);
  return record;
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

TEST_CASE("a picture made quickly differs in its noise only") {
  ShapesOptions options;
  ImageRecord slow, quick;
  const Image a = make_shapes_image(options, 3, slow), b = make_shapes_image_quickly(options, 3, quick);
  CHECK(a.rgb != b.rgb);
  REQUIRE(slow.annotations.size() == quick.annotations.size());
  CHECK(slow.annotations[0].rect.x == quick.annotations[0].rect.x);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const double d = (a.rgb[i] - b.rgb[i]) / 255.0;
    sum += d;
    squares += d * d;
  }
  const double n = static_cast<double>(a.rgb.size());
  CHECK(sum / n == Approx(0).margin(0.004));
  CHECK(std::sqrt(squares / n) == Approx(0.08 * std::sqrt(2.0)).margin(0.005));
  options.noise = 0;
  CHECK(make_shapes_image(options, 3, slow).rgb == make_shapes_image_quickly(options, 3, quick).rgb);
}

// Studies are repeated on the pictures that they were made with.
TEST_CASE("pictures of shapes are those of the first version") {
  struct Known {
    double brightness;  // a weighted mean of all bytes
    std::vector<std::pair<int, Box>> objects;
  };
  // As first printed by this test.
  const std::vector<Known> known = {
      {439.33, {{2, {44.71f, 22.77f, 57.27f, 34.23f}}, {2, {37.77f, 12.31f, 50.84f, 24.05f}}}},
      {363.89, {{0, {29.04f, 33.02f, 56.73f, 60.71f}}}},
      {336.03,
       {{1, {2.44f, 29.16f, 29.49f, 56.21f}},
        {1, {34.47f, 27.26f, 59.29f, 52.08f}},
        {0, {23.45f, 6.80f, 43.91f, 27.26f}}}},
      {317.80, {{0, {1.02f, 26.95f, 22.02f, 47.95f}}, {1, {40.14f, 30.18f, 62.33f, 52.37f}}}},
      {314.74, {{1, {7.99f, 10.01f, 29.71f, 31.73f}}}},
      {406.93, {{0, {1.45f, 0.19f, 27.01f, 25.75f}}, {0, {11.46f, 17.95f, 39.02f, 45.50f}}}},
      {385.64, {{1, {43.28f, 28.12f, 56.97f, 41.82f}}, {1, {5.39f, 0.68f, 33.97f, 29.26f}}}},
      {196.18, {{1, {27.21f, 3.57f, 44.91f, 21.26f}}, {1, {46.21f, 31.26f, 58.89f, 43.94f}}}},
      {160.04, {{0, {11.66f, 11.79f, 33.46f, 33.59f}}}},
      {316.11, {{0, {4.39f, 0.22f, 32.56f, 28.39f}}, {2, {39.32f, 31.54f, 57.92f, 50.00f}}}},
      {378.75, {{0, {24.79f, 38.22f, 45.95f, 59.38f}}}},
      {352.01, {{0, {12.20f, 11.47f, 37.16f, 36.43f}}, {2, {11.32f, 43.20f, 30.70f, 62.05f}}}}};
  ShapesOptions options;
  options.seed = 11;
  options.max_objects = 3;
  for (std::size_t i = 0; i < known.size(); ++i) {
    INFO("picture " << i);
    ImageRecord record;
    const Image image = make_shapes_image(options, i, record);
    CHECK(std::abs(test::weighted_mean(image) - known[i].brightness) < 0.02);
    REQUIRE(record.annotations.size() == known[i].objects.size());
    for (std::size_t n = 0; n < record.annotations.size(); ++n) {
      const auto& [category, box] = known[i].objects[n];
      const Box actual = record.annotations[n].rect.box();
      CHECK(record.annotations[n].category == category);
      for (const float difference : {actual.x1 - box.x1, actual.y1 - box.y1, actual.x2 - box.x2, actual.y2 - box.y2}) {
        CHECK(std::abs(difference) < 0.02f);
      }
    }
  }
}

TEST_CASE("annotations are tight about what is drawn") {
  ShapesOptions options;
  options.min_objects = options.max_objects = 1;
  options.distractors = 0;
  options.noise = options.empty = 0;
  options.forms = 8;
  ShapesOptions invisible = options;
  invisible.contrast = 0;
  std::set<int> classes;
  for (std::uint64_t i = 0; i < 80; ++i) {
    options.size = invisible.size = i % 2 ? 64 : 200;
    ImageRecord record, same;
    const Image image = make_shapes_image(options, i, record), ground = make_shapes_image(invisible, i, same);
    REQUIRE(record.annotations.size() == 1);
    const Box box = record.annotations[0].rect.box(), drawn = test::difference_box(image, ground);
    INFO("picture " << i << ", class " << record.annotations[0].category);
    REQUIRE(std::fabs(box.x1 - drawn.x1) <= 1);
    REQUIRE(std::fabs(box.y1 - drawn.y1) <= 1);
    REQUIRE(std::fabs(box.x2 - drawn.x2) <= 1);
    REQUIRE(std::fabs(box.y2 - drawn.y2) <= 1);
    classes.insert(record.annotations[0].category);
  }
  CHECK(classes == std::set<int>{0, 1, 2, 3, 4, 5, 6, 7});
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

TEST_CASE("classes are forms, colours and textures") {
  CHECK(shapes_categories()[1].name == "square");
  ShapesOptions options;
  options.forms = 8;
  options.textures = 3;
  CHECK(shapes_categories(options)[23].name == "checked bow tie");
  options.colours = 6;
  const std::vector<Category> categories = shapes_categories(options);
  REQUIRE(categories.size() == 144);
  std::set<std::string> names;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    CHECK(categories[i].id == static_cast<std::int64_t>(i) + 1);
    names.insert(categories[i].name);
  }
  CHECK(names.size() == 144);
  CHECK(names.count("red plain circle") == 1);
}

// The class of an annotation is what its pixels show.
TEST_CASE("objects have the colour and the texture of their class") {
  ShapesOptions options;
  options.size = 100;
  options.min_objects = options.max_objects = 1;
  options.min_object_size = options.max_object_size = 0.9f;
  options.distractors = 0;
  options.noise = options.empty = 0;
  options.forms = 2;  // which cover their middle
  options.colours = 6;
  options.textures = 3;
  const std::vector<Category> categories = shapes_categories(options);
  std::set<int> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    ImageRecord record;
    const Image image = make_shapes_image(options, i, record);
    REQUIRE(record.annotations.size() == 1);
    const Annotation& object = record.annotations[0];
    const Rect& r = object.rect;
    seen.insert(object.category);
    // The middle third of the object: what is bright, and how much is dark.
    std::vector<std::array<int, 3>> pixels;
    for (int y = static_cast<int>(r.y + r.h / 3); y < static_cast<int>(r.y + 2 * r.h / 3); ++y) {
      for (int x = static_cast<int>(r.x + r.w / 3); x < static_cast<int>(r.x + 2 * r.w / 3); ++x) {
        const std::uint8_t* p = image.pixel(x, y);
        pixels.push_back({p[0], p[1], p[2]});
      }
    }
    const auto light = [](const std::array<int, 3>& p) { return std::max({p[0], p[1], p[2]}); };
    const auto brightest = *std::max_element(
        pixels.begin(), pixels.end(),
        [&](const std::array<int, 3>& a, const std::array<int, 3>& b) { return light(a) < light(b); });
    const auto dark = std::count_if(pixels.begin(), pixels.end(),
                                    [&](const std::array<int, 3>& p) { return light(p) < light(brightest) / 2; });
    std::string channels;  // that are high
    for (int c = 0; c < 3; ++c) channels += brightest[c] > 0.6 * light(brightest) ? "rgb"[c] : '-';
    const std::map<std::string, std::string> colours{{"r--", "red"},    {"-g-", "green"},   {"--b", "blue"},
                                                     {"rg-", "yellow"}, {"r-b", "magenta"}, {"-gb", "cyan"}};
    const std::string& name = categories[object.category].name;
    INFO("picture " << i << ": " << name << ", " << channels);
    REQUIRE(name.starts_with(colours.at(channels) + " "));
    REQUIRE((dark == 0) == (name.find("plain") != std::string::npos));
  }
  CHECK(seen.size() > 30);  // of 36
}

TEST_CASE("distractors may be parts of objects, which changes no object") {
  ShapesOptions options;
  options.size = 96;
  options.min_objects = options.max_objects = 1;
  options.distractors = 6;
  options.noise = options.empty = 0;
  options.colours = 6;
  ShapesOptions parts = options;
  parts.parts = 1;
  int other = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    ImageRecord record, with_parts;
    const Image image = make_shapes_image(options, i, record), torn = make_shapes_image(parts, i, with_parts);
    other += image.rgb != torn.rgb;
    REQUIRE(with_parts.annotations.size() == 1);
    CHECK(with_parts.annotations[0].category == record.annotations[0].category);
    CHECK(with_parts.annotations[0].rect.x == record.annotations[0].rect.x);
  }
  CHECK(other > 10);  // some have no distractors
}

TEST_CASE("parts of objects are drawn torn") {
  ShapesOptions options;
  options.size = 100;
  options.min_objects = options.max_objects = 0;
  options.min_object_size = options.max_object_size = 0.4f;
  options.distractors = 1;
  options.noise = 0;
  options.forms = 1;  // circles of 1,257 pixels
  options.parts = 1;
  ShapesOptions invisible = options;
  invisible.contrast = 0;
  std::int64_t most = 0;
  for (std::uint64_t i = 0; i < 40; ++i) {
    ImageRecord record;
    const Image image = make_shapes_image(options, i, record), ground = make_shapes_image(invisible, i, record);
    std::int64_t drawn = 0;
    for (int y = 0; y < 100; ++y) {
      for (int x = 0; x < 100; ++x) drawn += !std::equal(image.pixel(x, y), image.pixel(x, y) + 3, ground.pixel(x, y));
    }
    most = std::max(most, drawn);
  }
  CHECK(most > 300);
  CHECK(most < 800);
}

TEST_CASE("missing labels are left out of the training set, and of nothing else") {
  const test::TemporaryFolder whole_folder, folder;
  ShapesOptions options;
  options.size = 32;
  options.min_objects = options.max_objects = 2;
  options.min_object_size = 0.2f;
  options.empty = 0;
  write_shapes(whole_folder.path(), 60, 10, options);
  options.missing = 0.3f;
  write_shapes(folder.path(), 60, 10, options);
  const auto read = [](const test::TemporaryFolder& from, const std::string& name) {
    return read_coco(from.path(name), {.images = from.path("images")});
  };
  const auto boxes = [](const Dataset& set) {
    std::size_t count = 0;
    for (const ImageRecord& image : set.images) count += image.annotations.size();
    return count;
  };
  const Dataset train = read(folder, "instances_train.json");
  CHECK(boxes(read(whole_folder, "instances_train.json")) == 120);
  CHECK(boxes(train) > 60);
  CHECK(boxes(train) < 105);  // 84 expected, standard deviation 5
  CHECK(boxes(read(folder, "instances_val.json")) == 20);
  CHECK(train.images.size() == 60);
  for (const ImageRecord& image : train.images) {
    CHECK(read_image(image.file).rgb == read_image(whole_folder.path("images/" + image.name)).rgb);
  }
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
  refused([](ShapesOptions& o) { o.parts = 1.1f; });
  refused([](ShapesOptions& o) { o.missing = std::numeric_limits<float>::quiet_NaN(); });
  refused([](ShapesOptions& o) { o.forms = 9; });
  refused([](ShapesOptions& o) { o.forms = 0; });
  refused([](ShapesOptions& o) { o.colours = 7; });
  refused([](ShapesOptions& o) { o.textures = 4; });
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

  const Dataset train = read_coco(folder.path("instances_train.json"), {.images = images});
  const Dataset val = read_coco(folder.path("instances_val.json"), {.images = images});
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
