#include "data/readers/labelme.h"

#include "tests/data/readers/expect.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string shape(const std::string& kind, const std::string& points, const std::string& label = "cat") {
  return R"({"label": ")" + label + R"(", "points": [)" + points + R"(], "shape_type": ")" + kind + "\"}";
}

std::string labelled(const std::string& picture, const std::string& shapes) {
  return R"({"version": "5.0.1", "flags": {}, "shapes": [)" + shapes + R"(], "imagePath": ")" + picture +
         R"(", "imageData": null, "imageHeight": 48, "imageWidth": 64})";
}

}  // namespace

TEST_CASE("labelme: shapes of every kind, one file per picture") {
  const TemporaryFolder folder;
  folder.write("set/a.png", "");
  const std::string first = folder.write(
      "set/a.json",
      labelled("a.png", shape("rectangle", "[40, 30], [12, 10]") + "," + shape("polygon", "[1, 2], [9, 3], [5, 8]") +
                            "," + shape("circle", "[20, 20], [23, 24]") + "," +
                            shape("mask", "[3, 4], [8, 10]", "dog") + "," + shape("point", "[3, 4]") + "," +
                            shape("rectangle", "[70, 10], [80, 20]") + "," + shape("polygon", "[1, 2], [3]") + "," +
                            shape("rectangle", "[1, 2], [3, 4]", "")));
  folder.write("set/b.json", labelled("..\\\\set\\\\B.PNG", ""));
  const Dataset dataset = read_labelme(folder.path("set"), {});
  CHECK(boxes_of(dataset) == "cat 12 10 28 20; cat 1 2 8 6; cat 15 15 10 10; dog 3 4 5 6");
  CHECK(findings_of(dataset) == "polygon 1 (" + first + ": shapes[1]); circle 1 (" + first + ": shapes[2]); mask 1 (" +
                                    first + ": shapes[3]); no_label 1 (" + first +
                                    ": shapes[4], 'point'); outside 1 (" + first + ": shapes[5]); not_finite 1 (" +
                                    first + ": shapes[6]); no_class 1 (" + first + ": shapes[7])");
  CHECK(dataset.images.size() == 2);
  CHECK(dataset.images[0].file == folder.path("set/a.png"));
  CHECK((dataset.images[0].width == 64 && dataset.images[0].height == 48));
  CHECK(read_labelme(first, {}).images.size() == 1);
  CHECK(dataset.origin == "as labelme's JSON");
}

TEST_CASE("labelme: pictures in a folder of their own, and those whose path is of another machine") {
  const TemporaryFolder folder;
  folder.write("pictures/deep/a.png", "");
  const std::string file = folder.write("set/a.json", labelled("C:\\\\x\\\\a.png", ""));
  const Dataset dataset = read_labelme(file, {.images = folder.path("pictures")});
  CHECK(dataset.images.at(0).file == folder.path("pictures/deep/a.png"));
  CHECK(dataset.findings.at(0).kind == "picture_name");
}

TEST_CASE("labelme: other JSON is an error with its place") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    return error_of([&, file = folder.write("a.json", text)] { read_labelme(file, {}); });
  };
  CHECK(contains(error("{"), "a.json: line 1, column 2: "));
  CHECK(contains(error("{}"), "a.json: has no list \"shapes\", so not labelme's"));
  CHECK(contains(error(R"({"shapes": [3]})"), "a.json: shapes[0]: must be an object"));
  CHECK(contains(error_of([&] { read_labelme(folder.path(), {.split_asked = true}); }), "--split"));
}
