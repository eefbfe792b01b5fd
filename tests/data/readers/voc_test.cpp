#include "data/readers/voc.h"

#include <map>

#include "kernels/base/json.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::string object(const std::string& name, const std::string& box, const std::string& more = "") {
  return "<object>\n<name>" + name + "</name>" + more + "\n<bndbox>\n" + box + "\n</bndbox>\n</object>\n";
}

std::string corners(const std::string& x1, const std::string& y1, const std::string& x2, const std::string& y2) {
  return "<xmin>" + x1 + "</xmin><ymin>" + y1 + "</ymin><xmax>" + x2 + "</xmax><ymax>" + y2 + "</ymax>";
}

/// Line 1: annotation, 2: filename, 3: size, from 4 on: objects, six lines each.
std::string voc_file(const std::string& picture, const std::string& objects) {
  return "<annotation>\n<filename>" + picture + "</filename>\n" +
         "<size><width>60</width><height>40</height><depth>3</depth></size>\n" + objects + "</annotation>\n";
}

std::size_t count_boxes(const Dataset& dataset) {
  std::size_t boxes = 0;
  for (const ImageRecord& image : dataset.images) boxes += image.annotations.size();
  return boxes;
}

/// Error for one file with these objects, read with the given classes.
std::string voc_error(const std::string& objects, const std::vector<std::string>& categories = {}) {
  const TemporaryFolder folder;
  folder.write("a.jpg", "");
  folder.write("a.xml", voc_file("a.jpg", objects));
  return error_of([&] { read_voc(folder.path(), {.categories = categories}); });
}

}  // namespace

TEST_CASE("a VOC folder is read with boxes from pixel 1 on, both ends included") {
  const TemporaryFolder folder;
  folder.write("JPEGImages/b.jpg", "");
  folder.write("JPEGImages/a.jpg", "");
  folder.write("Annotations/b.xml",
               voc_file("b.jpg", object("dog", corners("1", "1", "60", "40")) +
                                     object("cat", corners("11", "6", " 20.5 ", "15"), "<difficult>1</difficult>")));
  folder.write("Annotations/a.xml", "<annotation><filename>a.jpg</filename></annotation>");
  const Dataset dataset = read_voc(folder.path("Annotations"), {});

  REQUIRE(dataset.categories.size() == 2);
  CHECK(dataset.categories[0].name == "cat");
  CHECK(dataset.categories[0].id == 1);
  CHECK(dataset.categories[1].name == "dog");
  CHECK(dataset.categories[1].id == 2);
  CHECK(dataset.warnings.empty());
  REQUIRE(dataset.images.size() == 2);
  CHECK(dataset.images[0].name == "a.jpg");
  CHECK(dataset.images[0].width == 0);
  CHECK(dataset.images[0].annotations.empty());
  const ImageRecord& image = dataset.images[1];
  CHECK(image.id == 2);
  CHECK(image.width == 60);
  CHECK(image.height == 40);
  CHECK(std::filesystem::equivalent(image.file, folder.path("JPEGImages/b.jpg")));
  REQUIRE(image.annotations.size() == 2);
  const Annotation &dog = image.annotations[0], &cat = image.annotations[1];
  CHECK(dog.category == 1);
  CHECK(dog.rect.box() == Box{0, 0, 60, 40});
  CHECK(dog.area == 2400);
  CHECK_FALSE(dog.difficult);
  CHECK(cat.category == 0);
  CHECK(cat.rect.box() == Box{10, 5, 20.5f, 15});
  CHECK(cat.difficult);
  CHECK_FALSE(cat.crowd);
}

TEST_CASE("VOC split files find their XML files") {
  const TemporaryFolder folder;
  folder.write("JPEGImages/a.b.jpg", "");
  folder.write("Annotations/a.b.xml", voc_file("a.b.jpg", ""));
  folder.write("Annotations/unlisted.xml", "not read");
  for (const char* split : {"ImageSets/Main/train.txt", "ImageSets/train.txt", "Annotations/train.txt"}) {
    for (const char* line : {"a.b\n", "\na.b  -1\r\n\n", "a.b.jpg"}) {
      const Dataset dataset = read_voc(folder.write(split, line), {});
      REQUIRE(dataset.images.size() == 1);
      CHECK(dataset.images[0].name == "a.b.jpg");
    }
  }
  const std::string split = folder.write("ImageSets/Main/twice.txt", "a.b\na.b\n");
  const Dataset dataset = read_voc(split, {});
  CHECK(dataset.images.size() == 1);
  REQUIRE(dataset.warnings.size() == 1);
  CHECK(contains(dataset.warnings[0], "picture listed twice, read once: 1 left out (" + split + ": line 2, 'a.b')"));
}

TEST_CASE("a VOC picture of another extension is found, a missing one is kept with a warning") {
  const TemporaryFolder folder;
  folder.write("pictures/a.png", "");
  folder.write("xml/a.xml", voc_file("a.tif", ""));
  folder.write("xml/b.xml", voc_file("b.jpg", object("x", corners("1", "1", "2", "2"))));
  const Dataset dataset = read_voc(folder.path("xml"), {.images = folder.path("pictures")});
  REQUIRE(dataset.images.size() == 2);
  CHECK(dataset.images[0].name == "a.png");
  CHECK(dataset.images[0].file == folder.path("pictures/a.png"));
  CHECK(dataset.images[1].name == "b.jpg");
  CHECK(dataset.images[1].annotations.size() == 1);
  REQUIRE(dataset.warnings.size() == 2);
  CHECK(dataset.warnings[0] ==
        "picture of another extension used: 1 (" + folder.path("xml/a.xml") + ": line 2, 'a.png' instead of 'a.tif')");
  CHECK(dataset.warnings[1] == "picture that does not exist: 1 (" + folder.path("xml/b.xml") + ": line 2, 'b.jpg')");
}

TEST_CASE("VOC boxes without area are dropped with a warning") {
  const TemporaryFolder folder;
  folder.write("a.jpg", "");
  folder.write("a.xml",
               voc_file("a.jpg", object("x", corners("5", "5", "5", "9")) + object("x", corners("5", "5", "6", "6")) +
                                     object("y", corners("5", "9", "9", "5"))));
  const Dataset dataset = read_voc(folder.path(), {});
  CHECK(count_boxes(dataset) == 1);
  CHECK(dataset.warnings ==
        std::vector<std::string>{"box of zero or negative width or height: 2 left out (first: " + folder.path("a.xml") +
                                 ": line 6, 'x', " + folder.path("a.xml") + ": line 18, 'y')"});
  CHECK(contains(error_of([&] { read_voc(folder.path(), {.strict = true}); }), "a.xml: line 6, 'x': box of zero"));
}

TEST_CASE("given classes decide the numbers of VOC classes") {
  const TemporaryFolder folder;
  folder.write("a.jpg", "");
  folder.write("a.xml", voc_file("a.jpg", object("cat", corners("1", "1", "9", "9"))));
  const Dataset dataset = read_voc(folder.path(), {.categories = {"dog", "cat"}});
  REQUIRE(dataset.categories.size() == 2);
  CHECK(dataset.categories[0].name == "dog");
  CHECK(dataset.images[0].annotations[0].category == 1);
}

TEST_CASE("VOC objects that cannot be used are left out and counted") {
  const std::pair<std::string, std::string> cases[] = {
      {object("x", corners("nan", "1", "9", "9")), "line 13, <xmin> is 'nan'"},
      {object("x", corners("1", "inf", "9", "9")), "<ymin> is 'inf'"},
      {object("x", corners("1", "1", "9px", "9")), "<xmax> is '9px'"},
      {object("x", corners("1", "1", "9", "")), "<ymax> is ''"},
      {object("x", "<xmin>1</xmin>"), "<ymin> is ''"},
      {"<object><name>x</name></object>", "annotation without a box"}};
  for (const auto& [text, expected] : cases) {
    const TemporaryFolder folder;
    folder.write("a.jpg", "");
    folder.write("a.xml", voc_file("a.jpg", object("x", corners("1", "1", "9", "9")) + text));
    const Dataset dataset = read_voc(folder.path(), {});
    CHECK(count_boxes(dataset) == 1);
    REQUIRE(dataset.warnings.size() == 1);
    INFO(dataset.warnings[0]);
    CHECK(contains(dataset.warnings[0], expected));
  }
}

TEST_CASE("a folder of the VOC kit is read by its lists") {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    folder.write(std::string("JPEGImages/") + name + ".jpg", "");
    folder.write(std::string("Annotations/") + name + ".xml",
                 voc_file(std::string(name) + ".jpg", object("x", corners("1", "1", "9", "9"))));
  }
  folder.write("ImageSets/Main/train.txt", "a\n");
  folder.write("ImageSets/Main/val.txt", "b\n");
  CHECK(recognises_voc(folder.path()));
  CHECK(read_voc(folder.path(), {}).images.at(0).name == "a.jpg");
  const Dataset validation = read_voc(folder.path(), {.split = DatasetSplit::val});
  REQUIRE(validation.images.size() == 1);
  CHECK(validation.images[0].name == "b.jpg");
  CHECK(contains(validation.origin, "ImageSets/Main/val.txt"));
  CHECK(contains(error_of([&] { read_voc(folder.path(), {.split = DatasetSplit::test}); }), "test.txt: no such file"));
  CHECK(
      contains(error_of([&] { read_voc(folder.path("Annotations"), {.split_asked = true}); }), "--split has nothing"));
}

TEST_CASE("bad VOC files are errors with file and line") {
  const std::string box = corners("1", "1", "9", "9");
  CHECK(contains(voc_error(object("x", box), {"y", "z"}), "a.xml: line 4: class 'x' is not one of 'y', 'z'"));
  CHECK(contains(voc_error(object("", box)), "a.xml: line 4: the class has no name"));
  CHECK(contains(voc_error("<object>"), "a.xml: line 4: not well-formed XML: "));

  const TemporaryFolder folder;
  const std::string whole = voc_file("a.jpg", object("x", box));
  for (std::size_t length = 0; length + 2 < whole.size(); length += 7) {
    folder.write("cut/a.xml", whole.substr(0, length));
    CHECK(contains(error_of([&] { read_voc(folder.path("cut"), {}); }), "a.xml: "));
  }
  folder.write("other/a.xml", "<html></html>");
  CHECK(contains(error_of([&] { read_voc(folder.path("other"), {}); }), "a.xml: no <annotation> element"));
  folder.write("size/a.xml", "<annotation><size><width>-3</width><height>2</height></size></annotation>");
  CHECK(contains(error_of([&] { read_voc(folder.path("size"), {}); }), "a.xml: line 1: a size of -3 x 2"));
}

TEST_CASE("missing and empty VOC sets are errors") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& annotations, const std::string& images = "") {
    return error_of([&] { read_voc(annotations, {.images = images}); });
  };
  CHECK(error(folder.path("none")) == folder.path("none") + ": no such folder");
  CHECK(error(folder.path()) == folder.path() + ": no .xml files");
  CHECK(error(folder.write("empty.txt", "\n \n")) == folder.path("empty.txt") + ": no pictures are listed");
  CHECK(contains(error(folder.write("lost.txt", "\nlost\n")), "lost.txt: line 2: lost.xml is not beside the file"));
  const std::string endless(10000, 'x');
  CHECK(contains(error(folder.write("endless.txt", endless)), "endless.txt: line 1: "));
  folder.write("a.xml", voc_file("a.jpg", ""));
  CHECK(contains(error(folder.write("half.txt", "a\nlost\n")), "half.txt: line 2: "));
  CHECK(error(folder.path(), folder.path("no_pictures")) == folder.path("no_pictures") + ": no such folder");
}

TEST_CASE("the blood cell set is read from its VOC files as from its COCO files") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/bccd/";
  const nlohmann::json stats = parse_json(read_bytes(folder + "stats.json"));
  for (const std::string split : {"train", "val", "test"}) {
    INFO(split);
    const Dataset dataset = read_voc(folder + "splits/" + split + ".txt", {});
    CHECK(dataset.images.size() == stats[split]["images"].get<std::size_t>());
    CHECK(count_boxes(dataset) == stats[split]["boxes"].get<std::size_t>());
    CHECK(dataset.warnings.size() == (split == "test" ? 0 : 1));
    std::map<std::string, int> per_class;
    std::map<std::string, std::vector<std::array<double, 4>>> boxes;
    for (const ImageRecord& image : dataset.images) {
      for (const Annotation& a : image.annotations) {
        ++per_class[dataset.categories[a.category].name];
        // The COCO files of the set took x = xmin and w = xmax - xmin.
        boxes[image.name].push_back({a.rect.x + 1, a.rect.y + 1, a.rect.w - 1, a.rect.h - 1});
      }
    }
    CHECK(per_class == stats[split]["per_class"].get<std::map<std::string, int>>());

    const nlohmann::json coco = parse_json(read_bytes(folder + "instances_" + split + ".json"));
    std::map<int, std::string> name_of;
    for (const auto& image : coco["images"]) name_of[image["id"]] = image["file_name"];
    std::map<std::string, std::vector<std::array<double, 4>>> expected;
    for (const auto& a : coco["annotations"]) expected[name_of[a["image_id"]]].push_back(a["bbox"]);
    CHECK(boxes == expected);
  }
}

TEST_CASE("the tree set is read in spite of its oddities") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const Dataset dataset = read_voc(data + "/datasets/deepforest_trees/annotations_original", {});
  REQUIRE(dataset.images.size() == 4);
  CHECK(count_boxes(dataset) == 574 + 279 + 61 + 37);
  CHECK(dataset.images[2].name == "OSBS_029.png");
  REQUIRE(dataset.warnings.size() == 2);
  CHECK(contains(dataset.warnings[0], "'2019_YELL_2_528000_4978000_image_crop2.png'"));
  CHECK(contains(dataset.warnings[1], "'OSBS_029.png' instead of 'OSBS_029.tif'"));
}
