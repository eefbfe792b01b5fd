#include "data/readers/coco.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "kernels/base/check.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;

/// The Error's line without the file in front; "" when there is none.
template <class Body>
std::string error_line(const std::string& file, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    const std::string line = error.what();
    REQUIRE(line.starts_with(file + ": "));
    REQUIRE(line.find('\n') == std::string::npos);
    return line.substr(file.size() + 2);
  }
  return "";
}

std::string instances(const std::string& images, const std::string& annotations,
                      const std::string& categories = R"({"id": 1, "name": "cat"})") {
  return "{\"images\": [" + images + "], \"annotations\": [" + annotations + "], \"categories\": [" + categories + "]}";
}

const std::string kImage = R"({"id": 5, "file_name": "a.jpg"})";

TEST_CASE("An instances file: order, defaults, unused keys and ids with gaps", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("a.json", R"({"info": {"images": [1]}, "licenses": [{"id": 1}], "annotations": [
    {"id": 9, "image_id": 900100000001, "category_id": 90, "bbox": [1.5, 2, 3, 4.25], "area": 7.5, "iscrowd": 1,
     "segmentation": {"counts": [1, [2]], "size": [3, 4]}, "attributes": {"id": "x", "bbox": [1]}},
    {"bbox": [0, 0, 0, 2], "category_id": 3, "image_id": 5, "id": 4, "segmentation": [[1, 2, 3, 4, 5]], "area": null}],
    "images": [{"id": 900100000001, "file_name": "b/\u00e4.png", "width": 640.0, "height": 480, "flickr": null},
               {"id": 5, "file_name": "a.jpg", "width": null}],
    "categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car", "supercategory": "vehicle"}]})");
  const Dataset dataset = read_coco(file, "/pictures");
  REQUIRE(dataset.warnings.empty());
  REQUIRE(dataset.categories.size() == 2);
  CHECK(dataset.categories[0].id == 3);
  CHECK(dataset.categories[0].name == "car");
  CHECK(dataset.categories[1].id == 90);
  REQUIRE(dataset.images.size() == 2);
  const ImageRecord& first = dataset.images[0];
  CHECK(first.id == 900100000001);
  CHECK(first.name == "b/\u00e4.png");
  CHECK(first.file == "/pictures/b/\u00e4.png");
  CHECK(first.width == 640);
  CHECK(first.height == 480);
  REQUIRE(first.annotations.size() == 1);
  CHECK(first.annotations[0].id == 9);
  CHECK(first.annotations[0].category == 1);
  CHECK(first.annotations[0].rect.x == 1.5);
  CHECK(first.annotations[0].rect.h == 4.25);
  CHECK(first.annotations[0].area == 7.5);
  CHECK(first.annotations[0].crowd);
  const ImageRecord& second = dataset.images[1];
  CHECK(second.width == 0);
  REQUIRE(second.annotations.size() == 1);
  CHECK(second.annotations[0].category == 0);
  CHECK(second.annotations[0].rect.w == 0);
  CHECK(second.annotations[0].area == 0);
  CHECK_FALSE(second.annotations[0].crowd);
}

TEST_CASE("Oddities of annotations are counted in one warning each", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string box = R"("image_id": 5, "category_id": 1, "bbox": [0, 0, 2, 3])";
  const std::string file = folder.write(
      "a.json",
      instances(kImage, "{" + box + "}, {\"id\": 1, " + box + "}, {\"id\": null, " + box + ", \"area\": -6}"));
  const Dataset dataset = read_coco(file, "");
  const std::vector<Annotation>& annotations = dataset.images[0].annotations;
  REQUIRE(annotations.size() == 3);
  CHECK(annotations[0].id == 1);
  CHECK(annotations[0].area == 6);
  CHECK(annotations[2].id == 3);
  CHECK(dataset.images[0].file == "a.jpg");
  CHECK(dataset.warnings ==
        std::vector<std::string>{
            file + ": annotations without an id, numbered by their position: 2 (first: annotations[0])",
            file + ": annotations kept although an earlier one has their id: 1 (first: annotations[1])",
            file + ": annotations that the metrics ignore because their area is negative: 1 (first: annotations[2])"});
}

TEST_CASE("Bad instances files are refused with the place", "[coco]") {
  const std::string box = R"("id": 1, "image_id": 5, "category_id": 1, "bbox": )";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "must hold an object with the lists images, annotations, categories, is a list"},
      {"3", "must hold an object with the lists images, annotations, categories, is a single value"},
      {"{}", "has no list \"images\""},
      {R"({"images": [], "categories": []})", "has no list \"annotations\""},
      {R"({"images": {}})", "images: must be a list"},
      {R"({"images": 3})", "images: must be a list"},
      {R"({"images": null})", "images: must be a list"},
      {instances("3", ""), "images[0]: must be an object"},
      {instances("[]", ""), "images[0]: must be an object"},
      {instances(R"({"id": "000001", "file_name": "a.jpg"})", ""),
       "images[0].id: must be an integer, is the string \"000001\""},
      {instances(R"({"id": 1.5, "file_name": "a.jpg"})", ""), "images[0].id: must be an integer, is 1.5"},
      {instances(R"({"id": 18446744073709551615, "file_name": "a.jpg"})", ""),
       "images[0].id: must be an integer, is 1.8446744073709552e+19"},
      {instances(R"({"id": true, "file_name": "a.jpg"})", ""), "images[0].id: must be an integer, is true"},
      {instances(R"({"file_name": "a.jpg"})", ""), "images[0].id: is missing"},
      {instances(kImage + R"(, {"id": 6})", ""), "images[1].file_name: is missing"},
      {instances(R"({"id": 6, "file_name": ["a"]})", ""), "images[0].file_name: must be a string, is a list"},
      {instances(R"({"id": 6, "file_name": ""})", ""), "images[0].file_name: is empty"},
      {instances(R"({"id": 6, "file_name": "a", "width": 1.5})", ""),
       "images[0].width: must be a whole number of pixels"},
      {instances(R"({"id": 6, "file_name": "a", "height": -1})", ""),
       "images[0].height: must be a whole number of pixels"},
      {instances(kImage + ", " + kImage, ""), "images[1].id: 5 appears twice"},
      {instances(kImage, "", R"({"id": 2, "name": "a"}, {"id": 2, "name": "b"})"), "categories[1].id: 2 appears twice"},
      {instances(kImage, "", R"({"id": "2", "name": "a"})"),
       "categories[0].id: must be an integer, is the string \"2\""},
      {instances(kImage, "", R"({"id": 2, "name": 7})"), "categories[0].name: must be a string, is 7"},
      {instances(kImage, R"({"id": 1, "image_id": 5, "category_id": 1})"), "annotations[0].bbox: is missing"},
      {instances(kImage, "{" + box + "[1, 2, 3]}"),
       "annotations[0].bbox: must be four numbers [x, y, width, height], is a list of 3 numbers"},
      {instances(kImage, "{" + box + R"([1, 2, 3, "4"]})"),
       "annotations[0].bbox: must be four numbers [x, y, width, height], is a list"},
      {instances(kImage, "{" + box + "[[1], 2, 3, 4, 5]}"),
       "annotations[0].bbox: must be four numbers [x, y, width, height], is a list"},
      {instances(kImage, "{" + box + R"({"x": 1}})"),
       "annotations[0].bbox: must be four numbers [x, y, width, height], is an object"},
      {instances(kImage, "{" + box + "[1, 2, -3, 4]}"),
       "annotations[0].bbox: width and height must not be negative, are -3.0 and 4.0"},
      {instances(kImage, "{" + box + "[1, 2, 3, 4], \"area\": \"9\"}"),
       "annotations[0].area: must be a number, is the string \"9\""},
      {instances(kImage, "{" + box + "[1, 2, 3, 4], \"iscrowd\": 2}"), "annotations[0].iscrowd: must be 0 or 1, is 2"},
      {instances(kImage, R"({"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]})"),
       "annotations[0].image_id: no image has the id 7"},
      {instances(kImage, R"({"id": 1, "image_id": 5, "category_id": 0, "bbox": [1, 2, 3, 4]})"),
       "annotations[0].category_id: no category has the id 0"},
  };
  const test::TemporaryFolder folder;
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const std::string file = folder.write("a.json", text);
    CHECK(error_line(file, [&file] { read_coco(file, ""); }) == expected);
  }
  const std::string missing = folder.path("none.json");
  CHECK(error_line(missing, [&] { read_coco(missing, ""); }) == "no such file");
  CHECK(error_line(folder.path(), [&] { read_coco(folder.path(), ""); }) == "is a folder, not a file");
}

TEST_CASE("Text that is no JSON is refused with place, line and column", "[coco]") {
  const std::string box = R"({"id": 1, "image_id": 5, "category_id": 1, "bbox": )";
  struct Case {
    std::string text, begin, end;
  };
  const std::vector<Case> cases = {
      {"", "line 1, column 1: ", ""},
      {"<xml>", "line 1, column 1: ", ""},
      {instances(kImage, "") + "\nx", "line 2, column 1: ", ""},
      {R"({"images": [{"id": 1)", "images[0]: line 1, column 21: ", ""},
      {instances(kImage, "\n" + box + "[1, 2, NaN, 4]}"),
       "annotations[0]: line 2, column 59: ", "(JSON has no NaN and no Infinity)"},
      {instances(kImage, "\n" + box + "[1, 2, -Infinity, 4]}"),
       "annotations[0]: line 2, column 60: ", "(JSON has no NaN and no Infinity)"},
      {instances(kImage, "\n\n" + box + "[1, 2, 1e999, 4]}"), "annotations[0]: line 3: ", "'1e999'"},
      {instances("{\"file_name\": \"\xff\"}", ""), "images[0]: line 1, column 28: ", ""},
  };
  const test::TemporaryFolder folder;
  for (const Case& c : cases) {
    INFO(c.text);
    const std::string file = folder.write("a.json", c.text);
    const std::string line = error_line(file, [&file] { read_coco(file, ""); });
    INFO(line);
    CHECK(line.starts_with(c.begin));
    CHECK(line.ends_with(c.end));
  }
}

Dataset small_truth() {
  Dataset truth;
  truth.categories = {{.id = 2, .name = "cat \"x\"\n"}, {.id = 90, .name = "dog"}};
  truth.images = {{.id = 7, .file = "p/b.jpg", .name = "b.jpg", .width = 64, .height = 32, .annotations = {}},
                  {.id = 3, .file = "p/a.jpg", .name = "a.jpg", .annotations = {}}};
  truth.images[0].annotations = {
      {.id = 1, .category = 1, .rect = {0.1, 1.0 / 3, 1e-7, 123456789.5}, .area = 2.0 / 3, .crowd = true},
      {.id = 2, .category = 0, .rect = {-5, 0, 0, 10}, .area = 0}};
  return truth;
}

bool equal(const Rect& a, const Rect& b) { return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h; }

TEST_CASE("A written data set reads back as the same numbers", "[coco]") {
  const test::TemporaryFolder folder;
  const Dataset truth = small_truth();
  write_coco(folder.path("t.json"), truth);
  const Dataset again = read_coco(folder.path("t.json"), "p");
  CHECK(again.warnings.empty());
  REQUIRE(again.categories.size() == 2);
  CHECK(again.categories[0].name == truth.categories[0].name);
  CHECK(again.categories[1].id == 90);
  REQUIRE(again.images.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(again.images[i].id == truth.images[i].id);
    CHECK(again.images[i].file == truth.images[i].file);
    CHECK(again.images[i].width == truth.images[i].width);
    CHECK(again.images[i].height == truth.images[i].height);
    REQUIRE(again.images[i].annotations.size() == truth.images[i].annotations.size());
    for (std::size_t k = 0; k < again.images[i].annotations.size(); ++k) {
      const Annotation &a = again.images[i].annotations[k], &b = truth.images[i].annotations[k];
      CHECK(a.id == b.id);
      CHECK(a.category == b.category);
      CHECK(equal(a.rect, b.rect));
      CHECK(a.area == b.area);
      CHECK(a.crowd == b.crowd);
    }
  }
  write_coco(folder.path("empty.json"), {});
  CHECK(read_coco(folder.path("empty.json"), "").images.empty());
}

TEST_CASE("Written detections read back as the same numbers", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string file = folder.path("d.json");
  const std::vector<Detection> detections = {
      {.image_id = 3, .category_id = 90, .rect = {0.1, 0.2, 0.3, 0.4}, .score = 0.7},
      {.image_id = 7, .category_id = 2, .rect = {-1, 0, 1, 0}, .score = 1}};
  write_coco_results(file, detections);
  std::vector<std::string> warnings;
  const std::vector<Detection> again = read_coco_results(file, small_truth(), warnings);
  CHECK(warnings.empty());
  REQUIRE(again.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(again[i].image_id == detections[i].image_id);
    CHECK(again[i].category_id == detections[i].category_id);
    CHECK(equal(again[i].rect, detections[i].rect));
    CHECK(again[i].score == detections[i].score);
  }
  write_coco_results(file, {});
  CHECK(read_coco_results(file, small_truth(), warnings).empty());
}

TEST_CASE("Results: unknown categories are dropped, everything else is refused with the place", "[coco]") {
  const test::TemporaryFolder folder;
  const Dataset truth = small_truth();
  std::vector<std::string> warnings;
  const std::string kept = R"({"image_id": 3, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5})";
  const std::string odd = R"({"image_id": 3, "category_id": 5, "bbox": [0, 0, 1, 1], "score": 0.5})";
  const std::string file = folder.write("a.json", "[" + kept + ", " + odd + ", " + odd + "]");
  CHECK(read_coco_results(file, truth, warnings).size() == 1);
  CHECK(warnings ==
        std::vector<std::string>{
            file +
            ": dropped detections of categories that the ground truth does not have: 2 (first: [1], category_id 5)"});

  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "must hold a list, is an object"},
      {"7", "must hold a list, is a single value"},
      {"[[]]", "[0]: must be an object"},
      {"[" + kept + R"(, {"image_id": 4, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}])",
       "[1].image_id: no image of the ground truth has the id 4"},
      {R"([{"image_id": "a", "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}])",
       "[0].image_id: must be an integer, is the string \"a\""},
      {R"([{"image_id": 3, "category_id": 2, "bbox": [0, 0, 1, 1]}])", "[0].score: is missing"},
      {R"([{"image_id": 3, "category_id": 2, "score": 1}])", "[0].bbox: is missing"},
      {R"([{"image_id": 3, "category_id": 2, "bbox": [0, 0, 1, -1], "score": 1}])",
       "[0].bbox: width and height must not be negative, are 1.0 and -1.0"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const std::string bad = folder.write("a.json", text);
    CHECK(error_line(bad, [&] { read_coco_results(bad, truth, warnings); }) == expected);
  }
}

TEST_CASE("What cannot be written is refused and leaves nothing behind", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string nowhere = folder.path("none/d.json");
  CHECK(error_line(nowhere, [&] { write_coco_results(nowhere, {}); }) == "cannot write: No such file or directory");
  CHECK(error_line(nowhere, [&] { write_coco(nowhere, {}); }) == "cannot write: No such file or directory");

  const std::string file = folder.path("d.json");
  const std::vector<Detection> bad = {
      {.image_id = 3, .category_id = 2, .rect = {0, 0, std::numeric_limits<double>::quiet_NaN(), 1}, .score = 1}};
  CHECK(error_line(file, [&] { write_coco_results(file, bad); }) ==
        "cannot write nan: JSON has no NaN and no infinity");
  CHECK(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace diopter
