#include "data/readers/read_dataset.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

constexpr const char* kCoco = R"({
  "images": [{"id": 4, "file_name": "a.png", "width": 20, "height": 10}],
  "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}, {"id": 9, "name": "unused"}],
  "annotations": [{"id": 1, "image_id": 4, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0},
                  {"id": 2, "image_id": 4, "category_id": 7, "bbox": [5, 5, 2, 2], "area": 4, "iscrowd": 0}]})";

}  // namespace

TEST_CASE("formats are recognised from the files") {
  const TemporaryFolder folder;
  const auto recognised = [](const std::string& path) { return std::string(recognise_format(path).name); };
  CHECK(recognised(folder.write("a.json", "")) == "coco");
  CHECK(recognised(folder.write("a.CSV", "")) == "csv");
  folder.write("deep/a/1.txt", "");
  CHECK(recognised(folder.path("deep")) == "yolo");
  CHECK(recognised(folder.write("b.json", R"({"info": {"shapes": 1}, "images": []})")) == "coco");
  CHECK(recognised(folder.write("c.json", R"(  [{"id": 1, "data": {"image": "a"}}])")) == "label_studio");
  CHECK(recognised(folder.write("d.json", R"({"a.png1": {"filename": "a.png", "file_attributes": {}}})")) == "via");
  CHECK(recognised(folder.write("e.csv", "filename,region_shape_attributes,region_attributes\n")) == "via");
  CHECK(recognised(folder.write("f.csv", "filename,xmin,ymin,xmax,ymax,class\n")) == "csv");
  CHECK(recognised(folder.write("me/a.json", R"({"version": "5", "shapes": [], "imagePath": "a.png"})")) == "labelme");
  CHECK(recognised(folder.path("me")) == "labelme");
  CHECK(recognised(folder.write("annotations.xml", "")) == "cvat");
  CHECK(recognised(folder.write("data.yaml", "")) == "yolo");
  CHECK(recognised(folder.write("data.yml", "")) == "yolo");
  CHECK(recognised(folder.write("splits/train.txt", "")) == "voc");
  folder.write("voc/a.xml", "");
  folder.write("voc/notes.txt", "");
  CHECK(recognised(folder.path("voc")) == "voc");
  folder.write("yolo/a.txt", "");
  CHECK(recognised(folder.path("yolo")) == "yolo");
  folder.write("roboflow/labels/a.txt", "");
  CHECK(recognised(folder.path("roboflow")) == "yolo");

  const auto error = [](const std::string& path) { return error_of([&] { recognise_format(path); }); };
  CHECK(error(folder.path("none")) == folder.path("none") + ": no such file or folder");
  CHECK(contains(
      error(folder.write("a.doc", "")),
      "a.doc: no format of data sets has such files; label_studio has a .json file with a list of tasks; via has "));
  folder.write("pictures/a.png", "");
  CHECK(contains(error(folder.path("pictures")), "pictures: no format of data sets has such files"));
}

TEST_CASE("formats have names") {
  CHECK(format_names() == "label_studio, via, labelme, cvat, coco, voc, csv or yolo");
  for (const DatasetFormat& format : dataset_formats()) CHECK(&format_from_name(format.name) == &format);
  CHECK(error_of([] { format_from_name("coca"); }) ==
        "unknown format coca; the nearest is coco (there are label_studio, via, labelme, cvat, coco, voc, csv, yolo)");
}

TEST_CASE("read_dataset reads each format") {
  const TemporaryFolder folder;
  const std::string coco = folder.write("a.json", kCoco);
  CHECK(read_dataset("coco", coco, {.images = folder.path()}).images.at(0).annotations.size() == 2);
  const std::string csv = folder.write("a.csv", "a.png,1,2,3,4,cat\n");
  CHECK(read_dataset("csv", csv, {}).images.at(0).annotations.size() == 1);
  folder.write("voc/a.png", "");
  folder.write("voc/a.xml", "<annotation><filename>a.png</filename></annotation>");
  CHECK(read_dataset("voc", folder.path("voc"), {}).images.at(0).name == "a.png");
  CHECK(read_dataset("yolo", folder.path("voc"), {}).images.at(0).name == "a.png");
  CHECK(read_dataset("", coco, {.images = folder.path()}).images.at(0).annotations.size() == 2);
  CHECK(contains(error_of([&] { read_dataset("csv", coco, {}); }), "a.json: line 1"));
}

TEST_CASE("a COCO set takes the classes of its training set") {
  const TemporaryFolder folder;
  const std::string file = folder.write("a.json", kCoco);
  const auto read = [&](const std::vector<std::string>& categories) {
    return read_dataset("coco", file, {.images = folder.path(), .categories = categories});
  };
  const Dataset dataset = read({"bee", "dog", "cat"});
  REQUIRE(dataset.categories.size() == 3);
  CHECK(dataset.categories[0].name == "bee");
  CHECK(dataset.categories[0].id == 10);  // a new one, above those of the file
  CHECK(dataset.categories[1].id == 7);
  CHECK(dataset.categories[2].id == 3);
  CHECK(dataset.images[0].annotations[0].category == 2);
  CHECK(dataset.images[0].annotations[1].category == 1);

  CHECK(error_of([&] {
          read({"cat", "bee"});
        }) == file + ": annotation 2 of a.png: class 'dog' is not one of 'cat', 'bee'");
  CHECK(contains(error_of([&] { read({"cat", "dog", "cat"}); }), "have the same name"));
}
