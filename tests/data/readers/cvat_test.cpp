#include "data/readers/cvat.h"

#include "tests/data/readers/expect.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string xml(const std::string& images) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n"
         "<meta><task><name>t</name><labels><label><name>cat</name></label></labels></task></meta>\n" +
         images + "</annotations>\n";
}

std::string image(const std::string& name, const std::string& shapes, const std::string& more = "") {
  return "<image id=\"0\" name=\"" + name + "\" width=\"64\" height=\"48\"" + more + ">\n" + shapes + "</image>\n";
}

}  // namespace

TEST_CASE("CVAT: boxes, and what boxes are taken from") {
  const TemporaryFolder folder;
  folder.write("images/a.png", "");
  const std::string file = folder.write(
      "annotations.xml",
      xml(image("a.png",
                "<box label=\"cat\" occluded=\"0\" xtl=\"12.5\" ytl=\"10\" xbr=\"40\" ybr=\"30\" z_order=\"0\"></box>\n"
                "<box label=\"dog\" xtl=\"20\" ytl=\"20\" xbr=\"40\" ybr=\"30\" rotation=\"90\"/>\n"
                "<polygon label=\"cat\" points=\"1,2;11.5,3;4,9\"/>\n"
                "<ellipse label=\"cat\" cx=\"30\" cy=\"20\" rx=\"10\" ry=\"5\"/>\n"
                "<mask label=\"dog\" rle=\"1, 2\" left=\"3\" top=\"4\" width=\"5\" height=\"6\"/>\n"
                "<points label=\"cat\" points=\"1,2\"/>\n"
                "<tag label=\"dark\"/>\n") +
          image("none.png", "")));
  const Dataset dataset = read_cvat(file, {});
  CHECK(boxes_of(dataset) == "cat 12.5 10 27.5 20; dog 25 15 10 20; cat 1 2 10.5 7; cat 20 15 20 10; dog 3 4 5 6");
  CHECK(findings_of(dataset) ==
        "turned 1 (line 7); polygon 1 (line 8); circle 1 (line 9); mask 1 (line 10); no_label 1 (line 11, <points>)");
  CHECK(dataset.images.size() == 2);
  CHECK(dataset.images[1].annotations.empty());
  CHECK(dataset.images[0].file == folder.path("images/a.png"));
  CHECK((dataset.images[0].width == 64 && dataset.images[0].height == 48));
  CHECK(dataset.categories.size() == 2);
  CHECK(dataset.origin == "as CVAT's XML");
}

TEST_CASE("CVAT: what cannot be used is left out, or refused by a strict reader") {
  const TemporaryFolder folder;
  const std::string file =
      folder.write("annotations.xml", xml(image("a.png",
                                                "<box label=\"cat\" xtl=\"1\" ytl=\"2\" xbr=\"x\" ybr=\"4\"/>\n"
                                                "<box label=\"cat\" xtl=\"5\" ytl=\"2\" xbr=\"5\" ybr=\"4\"/>\n"
                                                "<box label=\"cat\" xtl=\"64\" ytl=\"2\" xbr=\"70\" ybr=\"4\"/>\n"
                                                "<polygon label=\"cat\" points=\"1,2;3,4\"/>\n"
                                                "<box xtl=\"1\" ytl=\"2\" xbr=\"3\" ybr=\"4\"/>\n")));
  const Dataset dataset = read_cvat(file, {});
  CHECK(boxes_of(dataset).empty());
  CHECK(findings_of(dataset) ==
        "not_finite 2 (line 6, line 9); empty_box 1 (line 7); outside 1 (line 8); no_class 1 (line 10)");
  CHECK(contains(error_of([&] { read_cvat(file, {.strict = true}); }), file + ": line 6: box that is not"));
}

TEST_CASE("CVAT: a project's subsets are the splits") {
  const TemporaryFolder folder;
  const std::string file = folder.write(
      "annotations.xml", xml(image("a.png", "", " subset=\"Train\"") + image("b.png", "", " subset=\"Validation\"")));
  CHECK(read_cvat(file, {}).images.at(0).name == "a.png");
  const Dataset validation = read_cvat(file, {.split = DatasetSplit::val});
  REQUIRE(validation.images.size() == 1);
  CHECK(validation.images[0].name == "b.png");
  CHECK(validation.origin == "as CVAT's XML, the subset for val");
  // One subset is the whole set, and holds no other.
  const std::string one = folder.write("one.xml", xml(image("a.png", "", " subset=\"Train\"")));
  CHECK(read_cvat(one, {.split = DatasetSplit::val}).images.size() == 1);
  CHECK(contains(error_of([&] { read_cvat(one, {.split = DatasetSplit::val, .split_asked = true}); }), "--split"));
}

TEST_CASE("CVAT: other XML is an error that says what it is") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    return error_of([&, file = folder.write("a.xml", text)] { read_cvat(file, {}); });
  };
  CHECK(contains(error("<annotation/>"), "a.xml: no <annotations> element, so not CVAT's XML (a folder of Pascal VOC"));
  CHECK(contains(error("<annotations>\n<track id=\"0\"/></annotations>"), "a.xml: line 2: <track>: labels of a video"));
  CHECK(contains(error("<annotations>"), "a.xml: line 1: not well-formed XML"));
  CHECK(contains(error("<annotations/>"), "a.xml: no <image> elements"));
  CHECK(contains(error("<annotations><image/></annotations>"), "a.xml: line 1: <image> has no name"));
}
