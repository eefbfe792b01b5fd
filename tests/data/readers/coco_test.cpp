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
using test::contains;
using test::error_of;

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
  const Dataset dataset = read_coco(file, {.images = "/pictures"});
  CHECK(dataset.warnings ==
        std::vector<std::string>{file + ": box of zero width or height, which counts in metrics but "
                                        "is not learned: 1 (annotation 4)"});
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
  const Dataset dataset = read_coco(file, {});
  const std::vector<Annotation>& annotations = dataset.images[0].annotations;
  REQUIRE(annotations.size() == 3);
  CHECK(annotations[0].id == 1);
  CHECK(annotations[0].area == 6);
  CHECK(annotations[2].id == 3);
  CHECK(dataset.images[0].file == "a.jpg");
  CHECK(dataset.warnings ==
        std::vector<std::string>{
            file + ": annotation without an id, numbered by its position: 2 (first: annotations[0], annotations[2])",
            file + ": annotation kept although an earlier one has its id: 1 (annotations[1])",
            file + ": annotation that the metrics ignore because its area is negative: 1 (annotations[2])"});
}

TEST_CASE("Bad instances files are refused with the place", "[coco]") {
  const std::string box = R"("id": 1, "image_id": 5, "category_id": 1, "bbox": )";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "must hold an object with the lists images, annotations, categories, is a list"},
      {"3", "must hold an object with the lists images, annotations, categories, is a single value"},
      {"{}", "has no list \"images\""},
      {R"({"images": {}})", "images: must be a list"},
      {R"({"images": 3})", "images: must be a list"},
      {R"({"images": null})", "images: must be a list"},
      {instances("3", ""), "images[0]: must be an object"},
      {instances("[]", ""), "images[0]: must be an object"},
      {instances(kImage, R"({"segmentation": {"size": [3, 4]}}, 3)"), "annotations[1]: must be an object"},
      {R"({"annotations": [{"segmentation": {"size": [3, 4]}}], "images": [3]})", "images[0]: must be an object"},
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
      {instances(kImage, "{" + box + "[1, 2, 3, 4], \"area\": \"9\"}"),
       "annotations[0].area: must be a number, is the string \"9\""},
      {instances(kImage, "{" + box + "[1, 2, 3, 4], \"iscrowd\": 2}"), "annotations[0].iscrowd: must be 0 or 1, is 2"},
  };
  const test::TemporaryFolder folder;
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const std::string file = folder.write("a.json", text);
    CHECK(error_line(file, [&file] { read_coco(file, {}); }) == expected);
  }
  const std::string twice = R"({"id": "x", "file_name": "a.jpg"}, {"id": "x", "file_name": "b.jpg"})";
  const std::string texts = folder.write("a.json", instances(twice, ""));
  CHECK(error_line(texts, [&texts] { read_coco(texts, {}); }) == "images[1].id: x appears twice");
  const std::string missing = folder.path("none.json");
  CHECK(error_line(missing, [&] { read_coco(missing, {}); }) == "no such file");
  CHECK(error_line(folder.path(), [&] { read_coco(folder.path(), {}); }) == "is a folder, not a file");
}

TEST_CASE("Annotations that cannot be used are left out and counted, or refused by a strict reader", "[coco]") {
  const std::string ids = R"("id": 1, "image_id": 5, "category_id": 1)",
                    good = "{" + ids + R"(, "bbox": [1, 2, 3, 4]})";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{" + ids + "}", "no_box"},
      {"{" + ids + R"(, "bbox": []})", "no_box"},
      {"{" + ids + R"(, "bbox": null, "segmentation": []})", "no_box"},
      {"{" + ids + R"(, "segmentation": {"counts": [4], "size": [2, 2]}})", "no_box"},
      {"{" + ids + R"(, "bbox": [1, 2, 3]})", "not_finite"},
      {"{" + ids + R"(, "bbox": [[1], 2, 3, 4, 5]})", "not_finite"},
      {"{" + ids + R"(, "bbox": {"x": 1}})", "not_finite"},
      {"{" + ids + R"(, "bbox": [1, 2, -3, 4]})", "empty_box"},
      {"{" + ids + R"(, "bbox": [1, 2, 3, -4]})", "empty_box"},
      {R"({"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]})", "unknown_image"},
      {R"({"id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]})", "unknown_image"},
      {R"({"id": 1, "image_id": 5, "category_id": 0, "bbox": [1, 2, 3, 4]})", "unknown_category"},
  };
  const test::TemporaryFolder folder;
  for (const auto& [text, kind] : cases) {
    INFO(text);
    const std::string file = folder.write("a.json", instances(kImage, text + ", " + good));
    const Dataset dataset = read_coco(file, {});
    CHECK(dataset.images[0].annotations.size() == 1);
    REQUIRE(dataset.findings.size() == 1);
    CHECK(dataset.findings[0].kind == kind);
    CHECK(dataset.findings[0].dropped);
    CHECK(dataset.findings[0].count == 1);
    CHECK(contains(dataset.warnings.at(0), "annotations[0]"));
    CHECK(error_line(file, [&] { read_coco(file, {.strict = true}); }).starts_with("annotations[0]"));
  }
  // The id is that of what is unknown, of whichever picture.
  const auto place_of = [&](const std::string& annotation) {
    return read_coco(folder.write("ids.json", instances(kImage, annotation)), {}).findings.at(0).places.at(0);
  };
  CHECK(place_of(R"({"id": 1, "image_id": 5, "category_id": 40, "bbox": [1, 2, 3, 4]})") == "annotations[0], id 40");
  CHECK(place_of(R"({"id": 1, "image_id": 70, "category_id": 1, "bbox": [1, 2, 3, 4]})") == "annotations[0], id 70");

  // Python's NaN is a value of one annotation; a strict reader has no such thing in JSON.
  const std::string file = folder.write(
      "nan.json",
      instances(kImage, "{" + ids + R"(, "bbox": [NaN, 1, -Infinity, 3], "note": "NaN \" Infinity"}, )" + good));
  CHECK(read_coco(file, {}).findings.at(0).kind == "not_finite");
  CHECK(contains(error_line(file, [&] { read_coco(file, {.strict = true}); }), "JSON has no NaN"));
}

TEST_CASE("Boxes of polygons and masks are taken where there is no other", "[coco]") {
  const auto rect_of = [](const std::string& segmentation, const char* kind) {
    const test::TemporaryFolder folder;
    const std::string file = folder.write(
        "a.json", instances(kImage, R"({"id": 1, "image_id": 5, "category_id": 1, "bbox": [], "segmentation": )" +
                                        segmentation + "}"));
    const Dataset dataset = read_coco(file, {.strict = true});  // which refuses only what would be left out
    REQUIRE(dataset.findings.size() == 1);
    CHECK(dataset.findings[0].kind == kind);
    CHECK_FALSE(dataset.findings[0].dropped);
    return dataset.images[0].annotations.at(0).rect.box();
  };
  CHECK(rect_of("[[10, 8, 30, 8, 30, 24, 10, 24]]", "polygon") == Box{10, 8, 30, 24});
  CHECK(rect_of("[[10, 8, 30, 8, 30, 24], [5, 9, 6, 40, 7, 7]]", "polygon") == Box{5, 7, 30, 40});
  // A mask of 48 rows and 64 columns: columns 10 and 11, rows 10 to 14; in numbers and in COCO's text.
  CHECK(rect_of(R"({"size": [48, 64], "counts": [490, 5, 43, 5, 2529]})", "mask") == Box{10, 10, 12, 15});
  CHECK(rect_of(R"({"size": [48, 64], "counts": "Z?5[10f]2"})", "mask") == Box{10, 10, 12, 15});
  // Runs that go over a column's end fill all rows.
  CHECK(rect_of(R"({"counts": [3, 4, 9], "size": [4, 4]})", "mask") == Box{0, 0, 2, 4});
}

TEST_CASE("Ids may be texts, numbers in quotes or whole numbers with a point, and results carry them, too", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string file = folder.write(
      "a.json",
      instances(
          R"({"id": "0001", "file_name": "a.jpg"}, {"id": 7.0, "file_name": "b.jpg"}, {"id": "9", "file_name": "c.jpg"})",
          R"({"id": 1, "image_id": "0001", "category_id": "cat", "bbox": ["1", "2", "3", "4"], "iscrowd": "0"},
                   {"id": 2, "image_id": 7, "category_id": "cat", "bbox": [1, 2, 3, 4]},
                   {"id": 3, "image_id": 9, "category_id": "cat", "bbox": [1, 2, 3, 4]})",
          R"({"id": "cat", "name": 7})"));
  const Dataset dataset = read_coco(file, {});
  REQUIRE(dataset.images.size() == 3);
  for (const ImageRecord& image : dataset.images) CHECK(image.annotations.size() == 1);
  CHECK(dataset.images[0].id == 10);  // beyond those that are numbers
  CHECK(dataset.images[1].id == 7);
  CHECK(dataset.images[2].id == 9);
  CHECK(dataset.categories[0].name == "7");
  REQUIRE(dataset.findings.size() == 1);
  CHECK(dataset.findings[0].kind == "text_id");

  std::vector<std::string> warnings;
  const std::string results = folder.write("r.json", R"([
      {"image_id": "0001", "category_id": "cat", "bbox": [1, 2, 3, 4], "score": 1},
      {"image_id": "7", "category_id": "cat", "bbox": [1, 2, 3, 4], "score": 1}])");
  const std::vector<Detection> detections = read_coco_results(results, dataset, warnings);
  CHECK(detections.at(0).image_id == 10);
  CHECK(detections.at(1).image_id == 7);
}

TEST_CASE("Ids up to the largest number stay as they are", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string largest = "9223372036854775807", large = "4611686018427387905";  // 2^63 - 1, 2^62 + 1
  const std::string file = folder.write(
      "a.json", instances(R"({"id": )" + largest + R"(, "file_name": "a.jpg"})",
                          R"({"id": )" + largest + R"(, "image_id": )" + largest + R"(, "category_id": )" + large +
                              R"(, "bbox": [1, 2, 3, 4]})",
                          R"({"id": )" + large + R"(, "name": "cat"}, {"id": )" + largest + R"(, "name": "dog"})"));
  const Dataset dataset = read_coco(file, {.categories = {"bird", "cat", "dog"}});
  CHECK(dataset.findings.empty());
  CHECK(dataset.images.at(0).id == std::numeric_limits<std::int64_t>::max());
  REQUIRE(dataset.images[0].annotations.size() == 1);
  CHECK(dataset.images[0].annotations[0].id == std::numeric_limits<std::int64_t>::max());
  CHECK(dataset.categories.at(0).id == 4611686018427387906);
  CHECK(dataset.categories.at(1).id == 4611686018427387905);
}

TEST_CASE("Ids that are texts get numbers that nothing in the file states", "[coco]") {
  const test::TemporaryFolder folder;
  // 1 would be the next free number among the images: the annotation that names it belongs to none.
  const std::string file =
      folder.write("a.json", instances(R"({"id": "x", "file_name": "a.jpg"})",
                                       R"({"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
                             {"id": 2, "image_id": "y", "category_id": 1, "bbox": [1, 2, 3, 4]},
                             {"id": 3, "image_id": "x", "category_id": 1, "bbox": [1, 2, 3, 4]})"));
  const Dataset dataset = read_coco(file, {});
  CHECK(dataset.images.at(0).id == 2);
  REQUIRE(dataset.images[0].annotations.size() == 1);
  CHECK(dataset.images[0].annotations[0].id == 3);

  const std::string full = folder.write("b.json", instances(R"({"id": "x", "file_name": "a.jpg"},
                                          {"id": 9223372036854775807, "file_name": "b.jpg"})",
                                                            ""));
  CHECK(
      error_line(full, [&full] { read_coco(full, {}); }) ==
      "ids that are texts, such as 'x', are numbered, and above the id 9223372036854775807 there are no numbers left");
}

TEST_CASE("Results with file names are matched by them", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string file = folder.write(
      "a.json",
      instances(
          R"({"id": 3, "file_name": "x/a.jpg"}, {"id": 2, "file_name": "y/a.jpg"}, {"id": 1, "file_name": "b.jpg"})",
          ""));
  const Dataset truth = read_coco(file, {});
  const auto read = [&](const std::string& name) {
    const std::string results = folder.write(
        "r.json",
        R"([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1, "file_name": ")" + name + "\"}]");
    std::vector<std::string> warnings;
    return read_coco_results(results, truth, warnings).at(0).image_id;
  };
  CHECK(read("pics/b.jpg") == 1);
  CHECK(read("set/y/a.jpg") == 2);
  CHECK(read("x\\\\a.jpg") == 3);
  CHECK(contains(error_of([&] { read("a.jpg"); }), "2 images of the ground truth could be a.jpg"));
  CHECK(contains(error_of([&] { read("c.jpg"); }), "no image of the ground truth is called c.jpg"));
}

TEST_CASE("Boxes in shares of the picture are taken times its size", "[coco]") {
  const test::TemporaryFolder folder;
  const std::string image = R"({"id": 5, "file_name": "a.jpg", "width": 64, "height": 32})";
  const auto read = [&](const std::string& boxes) {
    return read_coco(folder.write("a.json", instances(image, boxes)), {});
  };
  const std::string share = R"({"id": 1, "image_id": 5, "category_id": 1, "bbox": [0.25, 0.5, 0.5, 0.25]})";
  CHECK(read(share).images[0].annotations[0].rect.box() == Box{16, 16, 48, 24});
  CHECK(read(share).findings.at(0).kind == "relative");
  const std::string pixels = R"(, {"id": 2, "image_id": 5, "category_id": 1, "bbox": [1, 1, 2, 2]})";
  CHECK(read(share + pixels).images[0].annotations[0].rect.w == 0.5);
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
    const std::string line = error_line(file, [&file] { read_coco(file, {.strict = true}); });
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
  const Dataset again = read_coco(folder.path("t.json"), {.images = "p"});
  CHECK(again.findings.size() == 1);  // a box without width
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
  CHECK(read_coco(folder.path("empty.json"), {}).images.empty());
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
  CHECK(
      warnings ==
      std::vector<std::string>{
          file +
          ": detection of a category that the ground truth does not have: 2 left out (first: [1], category_id 5, [2], "
          "category_id 5)"});

  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "must hold a list, is an object"},
      {"7", "must hold a list, is a single value"},
      {"[[]]", "[0]: must be an object"},
      {"[" + kept + R"(, {"image_id": 4, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}])",
       "[1].image_id: no image of the ground truth has the id 4; results of other pictures, or numbered by another "
       "program? "
       "With \"file_name\" in each result they are matched by name"},
      {R"([{"image_id": "a", "category_id": 2, "bbox": [0, 0, 1, 1], "score": 0.5}])",
       "[0].image_id: must be an integer, is the string \"a\""},
      {R"([{"image_id": 3, "category_id": 2, "bbox": [0, 0, 1, 1]}])", "[0].score: is missing"},
      {R"([{"image_id": 3, "category_id": 2, "score": 1}])", "[0].bbox: is missing"},
      {R"([{"image_id": 3, "category_id": 2, "bbox": [0, 0, 1, -1], "score": 1}])",
       "[0].bbox: width and height must not be negative"},
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
