#include "retinanet/doctor/lint.h"
#include "retinanet/config/presets.h"

#include <filesystem>
#include <fstream>

#include "data/pictures/image.h"
#include "tests/data/pictures/formats/make_png.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

/// Pictures are 320 x 160: preset small halves them to 160 x 80.
Dataset hand_made() {
  Dataset dataset;
  dataset.categories = {{1, "cat"}, {2, "dog"}, {5, "cow"}};
  ImageRecord a = annotated("a", 320, 160,
                            {{10, 10, 20, 20},     // 1: small
                             {50, 10, 40, 60},     // 2: medium
                             {100, 20, 120, 130},  // 3: large
                             {200, 20, 0, 10},     // 4: no width
                             {20, 200, 10, 10},    // 5: below the picture
                             {300, 100, 40, 20},   // 6: beyond the right border
                             {-1, 50, 30, 30},     // 7: by one pixel only: tolerated
                             {150, 5, 1.5, 40},    // 8: 0.75 pixels wide at the input
                             {10, 10, 20, 20},     // 9: 1 again
                             {50, 10, 40, 60}});   // 10: 2 as another class
  a.annotations[9].category = 1;
  ImageRecord b = annotated("b", 320, 160, {{0, 0, 300, 150}, {10, 10, 50, 50}});
  b.annotations[0].crowd = true;
  b.annotations[1].difficult = true;
  dataset.images = {a, b, annotated("c", 100, 100, {{0, 0, 3, 3}})};
  return dataset;
}

void require(const Findings& findings, std::int64_t count, const std::string& first) {
  REQUIRE(findings.count == count);
  if (count == 0) return;
  INFO(findings.examples.at(0));
  REQUIRE(findings.examples[0].find(first) != std::string::npos);
}

/// A folder with good.png (8 x 6), cut.png (truncated) and nothing else.
class Pictures {
 public:
  Pictures() {
    Image image{8, 6, std::vector<std::uint8_t>(8 * 6 * 3, 90)};
    write_image(file("good.png"), image);
    fs::copy_file(file("good.png"), file("cut.png"), fs::copy_options::overwrite_existing);
    fs::resize_file(file("cut.png"), 40);
  }
  std::string file(const std::string& name) const { return folder_ / name; }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("lint counts and names what is wrong with boxes") {
  const DatasetReport report = lint(hand_made(), preset("small"));
  require(report.degenerate, 1, "a.png annotation 4 (cat [200, 20, 0, 10])");
  require(report.outside, 1, "a.png annotation 5 ");
  require(report.partly_outside, 1, "a.png annotation 6 ");
  require(report.vanishing, 1, "a.png annotation 8 ");
  require(report.duplicates, 1, "a.png annotation 9 ");
  require(report.contradictions, 1, "a.png annotation 10 (dog");
  require(report.crowded, 0, "");
}

TEST_CASE("a box may reach one pixel over each border of its picture") {
  const auto across = [](const Rect& rect) {
    Dataset dataset;
    dataset.categories = {{1, "cat"}};
    dataset.images = {annotated("a", 320, 160, {rect})};
    return lint(dataset, preset("small")).partly_outside.count;
  };
  CHECK(across({-1, -1, 322, 162}) == 0);
  CHECK(across({-1.5, 50, 30, 30}) == 1);
  CHECK(across({50, -1.5, 30, 30}) == 1);
  CHECK(across({291.5, 50, 30, 30}) == 1);
  CHECK(across({50, 131.5, 30, 30}) == 1);
}

TEST_CASE("lint counts objects, classes and sizes") {
  const DatasetReport report = lint(hand_made(), preset("small"));
  REQUIRE(report.pictures == 3);
  REQUIRE(report.empty_pictures == 1);
  REQUIRE(report.boxes == 13);
  REQUIRE(report.crowd == 1);
  REQUIRE(report.difficult == 1);
  REQUIRE(report.objects == 8);  // 1, 2, 3, 6, 7, 9, 10 of a, one of c
  REQUIRE(report.objects_per_picture.min == 0);
  REQUIRE(report.objects_per_picture.median == 1);
  REQUIRE(report.objects_per_picture.max == 7);
  REQUIRE(report.by_area == std::array<std::int64_t, 3>{5, 2, 1});
  REQUIRE(report.below_stride == 1);
  REQUIRE(report.classes.size() == 3);
  REQUIRE(report.classes[0].boxes == 7);
  REQUIRE(report.classes[0].pictures == 2);
  REQUIRE(report.classes[1].boxes == 1);
  REQUIRE(report.classes[2].boxes == 0);
  REQUIRE(report.width.max == 320);
  REQUIRE(report.input_width.max == 160);
  REQUIRE(report.input_height.min == 80);
  REQUIRE(report.size.min == 3);
  REQUIRE(report.input_size.max == Approx(std::sqrt(60.0 * 65)));
}

TEST_CASE("lint names pictures with more objects than are ever detected") {
  Config config = preset("small");
  config.detect.max_detections = 6;
  require(lint(hand_made(), config).crowded, 1, "a.png with 7");
}

TEST_CASE("only the first findings are kept") {
  Findings findings;
  for (int i = 0; i < 5; ++i) findings.add(std::to_string(i));
  REQUIRE(findings.count == 5);
  REQUIRE(findings.examples == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("percentiles are values of the nearest rank") {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Spread spread = spread_of(values);
  REQUIRE(spread.min == 0);
  REQUIRE(spread.p5 == 5);
  REQUIRE(spread.median == 50);
  REQUIRE(spread.p95 == 95);
  REQUIRE(spread.max == 100);
  REQUIRE(spread_of({}).max == 0);
}

TEST_CASE("pictures are decoded, and the unusable ones removed") {
  const Pictures pictures;
  Dataset dataset;
  for (const std::string name : {"good", "cut", "none", "good"}) {
    dataset.images.push_back(annotated(name, 8, 6, {}));
    dataset.images.back().file = pictures.file(name + ".png");
  }
  dataset.images[3].height = 7;
  std::int64_t done = 0;
  const PictureCheck check = check_pictures(dataset, true, kFullRange, [&](std::int64_t n, std::int64_t) { done = n; });
  REQUIRE(done == 4);
  require(check.undecodable, 1, "cut.png");
  require(check.missing, 1, "none.png");
  require(check.other_size, 1, "good.png has 8 x 6 pixels, the annotations say 8 x 7");
  REQUIRE(dataset.images.size() == 2);
  REQUIRE(dataset.images[1].height == 6);
  REQUIRE(check.bytes == 2 * 8 * 6 * 3);
}

TEST_CASE("pictures are nearly black where nothing reaches a quarter of white") {
  const TemporaryFolder folder;
  const auto png = [](int sample) {
    return make_png({1, 1, 16, 0, false, '\0' + big_endian(static_cast<std::uint32_t>(sample), 2), {}});
  };
  Dataset dataset;
  for (const auto& [name, sample] : {std::pair("a", 1000), std::pair("b", 16383), std::pair("c", 16384)}) {
    dataset.images.push_back(annotated(name, 1, 1, {}));
    dataset.images.back().file = folder.write(std::string(name) + ".png", png(sample));
  }
  Dataset copy = dataset;
  const PictureCheck dark = check_pictures(dataset, true, kFullRange, {});
  Dataset headers = dataset;
  CHECK(check_pictures(headers, true, kFullRange, {}, Look::header).dark.count == 0);  // the pixels are not seen
  CHECK(headers.images.size() == dataset.images.size());
  CHECK(headers.images[0].width == dataset.images[0].width);
  require(dark.dark, 2, "a.png");
  CHECK(dark.greatest == 16384);
  CHECK(dark.several.count == 0);
  CHECK(check_pictures(copy, true, 1023, {}).dark.count == 0);
}

TEST_CASE("pictures that are not opened need a size in the annotations") {
  Dataset dataset;
  dataset.images = {annotated("a", 8, 6, {}), annotated("b", 0, 0, {})};
  const PictureCheck check = check_pictures(dataset, false, kFullRange, {});
  require(check.unknown_size, 1, "b.png");
  REQUIRE(check.missing.count == 0);
  REQUIRE(dataset.images.size() == 1);
}
