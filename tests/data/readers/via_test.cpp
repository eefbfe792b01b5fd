#include "data/readers/via.h"

#include "tests/data/readers/expect.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string region(const std::string& shape, const std::string& attributes) {
  return R"({"shape_attributes": {)" + shape + R"(}, "region_attributes": {)" + attributes + "}}";
}

std::string picture(const std::string& name, const std::string& regions) {
  return "\"" + name + R"(77": {"filename": ")" + name + R"(", "size": 77, "regions": [)" + regions +
         R"(], "file_attributes": {}})";
}

const std::string kRect = R"("name": "rect", "x": 12, "y": 10, "width": 28, "height": 20)";

}  // namespace

TEST_CASE("VIA: shapes of every kind, in a project or alone") {
  const TemporaryFolder folder;
  folder.write("a.png", "");
  const std::string cat = R"("label": "cat")";
  const std::string pictures =
      "{" +
      picture("a.png", region(kRect, cat) + "," +
                           region(R"("name": "polygon", "all_points_x": [1, 9, 5], "all_points_y": [2, 3, 8])", cat) +
                           "," + region(R"("name": "circle", "cx": 20, "cy": 20, "r": 5)", cat) + "," +
                           region(R"("name": "ellipse", "cx": 30, "cy": 20, "rx": 10, "ry": 5, "theta": 0)", cat) +
                           "," + region(R"("name": "point", "cx": 1, "cy": 2)", cat) + "," +
                           region(R"("name": "rect", "x": 1, "y": 2, "width": 3)", cat) + "," +
                           region(R"("name": "rect", "x": 1, "y": 2, "width": 0, "height": 1)", cat)) +
      "," + picture("b.png", "") + "}";
  for (const std::string& text : {pictures, R"({"_via_settings": {}, "_via_img_metadata": )" + pictures + "}"}) {
    const Dataset dataset = read_via(folder.write("via.json", text), {});
    CHECK(boxes_of(dataset) == "cat 12 10 28 20; cat 1 2 8 6; cat 15 15 10 10; cat 20 15 20 10");
    CHECK(findings_of(dataset) ==
          "polygon 1 ('a.png', region 1); circle 2 ('a.png', region 2, 'a.png', region 3); no_label 1 ('a.png', region "
          "4, "
          "'point'); not_finite 1 ('a.png', region 5); empty_box 1 ('a.png', region 6)");
    CHECK(dataset.images.size() == 2);
    CHECK(dataset.images[0].file == folder.path("a.png"));
    CHECK(dataset.origin == "as VIA's annotations, the class from the attribute 'label'");
  }
}

TEST_CASE("VIA: which attribute holds the class") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& regions) {
    return read_via(folder.write("via.json", "{" + picture("a.png", regions) + "}"), {});
  };
  // A usual name before others; checkboxes; the commonest; none.
  CHECK(boxes_of(read(region(kRect, R"("a": "x", "class": "cat")") + "," + region(kRect, R"("a": "x")"))) ==
        "cat 12 10 28 20");
  CHECK(findings_of(read(region(kRect, R"("class": "cat")") + "," + region(kRect, ""))) ==
        "no_class 1 ('a.png', region 1)");
  CHECK(boxes_of(read(region(kRect, R"("type": {"cat": false, "dog": true})"))) == "dog 12 10 28 20");
  const Dataset commonest = read(region(kRect, R"("z": "cow", "a": "")") + "," + region(kRect, R"("z": 7, "b": "x")"));
  CHECK(boxes_of(commonest) == "cow 12 10 28 20; 7 12 10 28 20");
  CHECK(commonest.origin == "as VIA's annotations, the class from the attribute 'z'");
  const Dataset none = read(region(kRect, ""));
  CHECK(boxes_of(none) == "object 12 10 28 20");
  CHECK(none.origin == "as VIA's annotations, without attributes: the class is 'object'");
}

TEST_CASE("VIA: CSV, and regions as an object, as version 1 wrote them") {
  const TemporaryFolder folder;
  const std::string header =
      "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n";
  const std::string rows =
      "a.png,77,\"{}\",2,0,\"{\"\"name\"\":\"\"rect\"\",\"\"x\"\":12,\"\"y\"\":10,\"\"width\"\":28,\"\"height\"\":20}"
      "\","
      "\"{\"\"name\"\":\"\"cat\"\"}\"\n"
      "b.png,5,\"{}\",0,0,\"{}\",\"{}\"\n"
      "a.png,77,\"{}\",2,1,oops,\"{\"\"name\"\":\"\"cat\"\"}\"\n";
  for (const std::string& text : {header + rows, "#" + header + rows}) {
    const Dataset dataset = read_via(folder.write("via.csv", text), {});
    CHECK(boxes_of(dataset) == "cat 12 10 28 20");
    CHECK(dataset.images.size() == 2);
    CHECK(findings_of(dataset) == "no_label 1 (line 4)");
  }
  CHECK(contains(error_of([&] { read_via(folder.write("via.csv", "filename,region_count\n"), {}); }),
                 "via.csv: line 1: no column region_shape_attributes"));
  const std::string old =
      R"({"a.png7": {"filename": "a.png", "regions": {"0": )" + region(kRect, R"("name": "cat")") + "}}}";
  CHECK(boxes_of(read_via(folder.write("old.json", old), {})) == "cat 12 10 28 20");
}

TEST_CASE("VIA: other JSON is an error with its place") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    return error_of([&, file = folder.write("a.json", text)] { read_via(file, {}); });
  };
  CHECK(contains(error(R"({"x": )"), "a.json: line 1, column "));
  CHECK(contains(error(R"({"x": {}})"), "a.json: 'x': has no text \"filename\""));
  CHECK(contains(error(R"({"_via_img_metadata": [1]})"), "a.json: _via_img_metadata: must be an object of pictures"));
  CHECK(contains(error(R"({"_via_img_metadata": {}})"), "a.json: no pictures are listed"));
}
