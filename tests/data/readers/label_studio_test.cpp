#include "data/readers/label_studio.h"

#include "data/pictures/image.h"
#include "tests/data/readers/expect.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// A result in a picture of 200 x 100 pixels.
std::string result(const std::string& kind, const std::string& value, const std::string& labels) {
  return R"({"id": "r)" + kind + R"(", "type": ")" + kind +
         R"(", "original_width": 200, "original_height": 100, "value": {)" + value + R"(, ")" + kind + R"(": [)" +
         labels + "]}}";
}

std::string task(const std::string& image, const std::string& annotations) {
  return R"({"id": 1, "data": {"image": ")" + image + R"("}, "annotations": [)" + annotations + "]}";
}

std::string annotation(const std::string& results, const std::string& more = "") {
  return "{" + more + R"("result": [)" + results + "]}";
}

const std::string kBox = R"("x": 10, "y": 20, "width": 25, "height": 50, "rotation": 0)";

}  // namespace

TEST_CASE("Label Studio: boxes in per cent, and what boxes are taken from") {
  const TemporaryFolder folder;
  const std::string file = folder.write(
      "a.json",
      "[" +
          task("/data/upload/1/0a1b2c3d-a.png",
               annotation(result("rectanglelabels", kBox, "\"cat\"") + "," +
                          result("rectanglelabels", R"("x": 50, "y": 20, "width": 10, "height": 40, "rotation": 90)",
                                 "\"dog\"") +
                          "," + result("polygonlabels", R"("points": [[10, 10], [20, 10], [15, 30]])", "\"cat\"") +
                          "," + result("ellipselabels", R"("x": 50, "y": 50, "radiusX": 5, "radiusY": 10)", "\"cat\"") +
                          "," + result("keypointlabels", R"("x": 50, "y": 50, "width": 1)", "\"cat\"") +
                          R"(, {"id": "c", "type": "choices", "value": {"choices": ["good"]}})")) +
          "]");
  folder.write("pictures/a.png", "");
  const Dataset dataset = read_label_studio(file, {.images = folder.path("pictures")});
  // Turned by 90 degrees about its upper left corner (100, 20): 20 x 40 becomes 40 x 20 to the left of it.
  CHECK(boxes_of(dataset) == "cat 20 20 50 50; dog 60 20 40 20; cat 20 10 20 20; cat 90 40 20 20");
  CHECK(findings_of(dataset) ==
        "picture_name 1 ([0]: '/data/upload/1/0a1b2c3d-a.png' is a.png); turned 1 ([0], result 1); polygon 1 ([0], "
        "result 2); circle 1 ([0], result 3); no_label 2 ([0], result 4, [0], result 5)");
  CHECK(dataset.images[0].file == folder.path("pictures/a.png"));
  CHECK((dataset.images[0].width == 200 && dataset.images[0].height == 100));
  CHECK(dataset.origin == "as Label Studio's JSON");
}

TEST_CASE("Label Studio: one annotation of each task, none of those that nobody has labelled") {
  const TemporaryFolder folder;
  const std::string cat = result("rectanglelabels", kBox, "\"cat\""), dog = result("rectanglelabels", kBox, "\"dog\"");
  const auto read = [&](const std::string& tasks) {
    return read_label_studio(folder.write("a.json", "[" + tasks + "]"), {});
  };
  const Dataset chosen = read(task("a.png", annotation(cat) + "," + annotation(dog, R"("ground_truth": true, )")) +
                              "," + task("b.png", annotation(cat) + "," + annotation(dog)) + "," +
                              task("c.png", annotation(cat, R"("was_cancelled": true, )") + "," + annotation(dog)));
  CHECK(boxes_of(chosen, 0) == "dog 20 20 50 50");
  CHECK(boxes_of(chosen, 1) == "cat 20 20 50 50");
  CHECK(boxes_of(chosen, 2) == "dog 20 20 50 50");
  CHECK(findings_of(chosen) == "several_labellings 2 ([0], [1])");

  const Dataset labelled = read(task("a.png", "") + "," + task("b.png", annotation(cat, R"("was_cancelled": true, )")) +
                                "," + task("c.png", annotation("")) +
                                R"(, {"data": {"image": "d.png"}, "completions": [)" + annotation(cat) + "]}");
  REQUIRE(labelled.images.size() == 2);
  CHECK(labelled.images[0].name == "c.png");  // a negative
  CHECK(boxes_of(labelled, 1) == "cat 20 20 50 50");
  CHECK(findings_of(labelled) == "unlabelled 2 ([0], 'a.png', [1], 'b.png')");
}

TEST_CASE("Label Studio: pictures under any key and at any place") {
  const TemporaryFolder folder;
  folder.write("deep/b c.png", "");
  const auto name = [&](const std::string& data) {
    return read_label_studio(
               folder.write("a.json", R"([{"data": {)" + data + R"(}, "annotations": [{"result": []}]}])"), {})
        .images.at(0);
  };
  CHECK(name(R"("text": "hello", "photo": "s3://bucket/x/b c.png")").file == folder.path("deep/b c.png"));
  CHECK(name(R"("image": "/data/local-files/?d=set/b%20c.png")").file == folder.path("deep/b c.png"));
  CHECK(name(R"("url": "https://host/b%20c.png?token=1")").file == folder.path("deep/b c.png"));
  CHECK(name(R"("image": "c:\\set\\b c.png")").file == folder.path("deep/b c.png"));
  CHECK(contains(error_of([&] { name(R"("text": "hello")"); }),
                 "a.json: [0]: no text in \"data\" is the name of a picture"));
}

TEST_CASE("Label Studio: JSON-MIN, labels in a result of their own, sizes from the picture") {
  const TemporaryFolder folder;
  const Dataset small = read_label_studio(
      folder.write("min.json", R"([{"image": "a.png", "id": 1, "annotator": 1, "label": [{"x": 10, "y": 20, "width": 25,
                    "height": 50, "rotation": 0, "rectanglelabels": ["cat", "big"], "original_width": 200,
                    "original_height": 100}]}, {"image": "b.png", "id": 2}])"),
      {});
  CHECK(boxes_of(small) == "cat 20 20 50 50; big 20 20 50 50");
  CHECK(small.images.size() == 2);

  write_image(folder.path("a.png"), {20, 10, std::vector<std::uint8_t>(600)});
  const std::string geometry = R"("x": 10, "y": 20, "width": 25, "height": 50)";
  const std::string results = R"({"id": "q", "type": "rectangle", "value": {)" + geometry + R"(}},
      {"id": "q", "type": "labels", "value": {)" +
                              geometry + R"(, "labels": ["cat"]}})";
  const Dataset sized = read_label_studio(
      folder.write("a.json", "[" + task("a.png", annotation(results)) + "," + task("c.png", annotation(results)) + "]"),
      {});
  CHECK(boxes_of(sized) == "cat 2 2 5 5");
  CHECK(findings_of(sized) == "no_size 1 ([1], result 1)");
}

TEST_CASE("Label Studio: other JSON is an error with its place") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    return error_of([&, file = folder.write("a.json", text)] { read_label_studio(file, {}); });
  };
  CHECK(contains(error("[{]"), "a.json: line 1, column 3: "));
  CHECK(contains(error("{}"), "a.json: must hold a list of tasks"));
  CHECK(contains(error("[3]"), "a.json: [0]: must be an object, a task"));
  CHECK(contains(error("[]"), "a.json: no labelled pictures"));
}
