#include "data/readers/yolo.h"

#include <cmath>
#include <map>

#include "data/pictures/image.h"
#include "kernels/base/json.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Writes a grey picture and returns its path.
std::string write_picture(const TemporaryFolder& folder, const std::string& name, int width = 200, int height = 100) {
  const std::string file = folder.write(name, "");
  write_image(file, {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height, 128)});
  return file;
}

std::vector<std::string> names_of(const Dataset& dataset) {
  std::vector<std::string> names;
  for (const Category& category : dataset.categories) names.push_back(category.name);
  return names;
}

/// Names read from a data.yaml with this text.
std::vector<std::string> names_in(const std::string& yaml) {
  const TemporaryFolder folder;
  write_picture(folder, "images/a.png");
  folder.write("labels/a.txt", "");
  folder.write("data.yaml", yaml);
  return names_of(read_yolo(folder.path("labels"), ""));
}

/// Error for one label file with this text and three classes.
std::string error_with(const std::string& text, const std::vector<std::string>& categories = {}) {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("classes.txt", "cat\ndog\nant\n");
  const std::string file = folder.write("a.txt", text);
  const std::string error = error_of([&] { read_yolo(folder.path(), "", categories); });
  return contains(error, file) ? error.substr(folder.path().size() + 1) : error;
}

}  // namespace

TEST_CASE("a YOLO folder is read with sizes relative to the picture") {
  const TemporaryFolder folder;
  write_picture(folder, "set/images/train/b.png", 200, 100);
  write_picture(folder, "set/images/train/a.jpg", 10, 20);
  write_picture(folder, "set/images/train/c.png", 10, 20);
  folder.write("set/labels/train/b.txt", "1 0.5 0.5 0.25 0.5\r\n\n0  0.1\t0.2 0.1 0.2\n");
  folder.write("set/labels/train/c.txt", "");
  folder.write("set/data.yaml", "names: [cat,dog, ant]\n");
  const Dataset dataset = read_yolo(folder.path("set/labels/train"), "");
  CHECK(names_of(dataset) == std::vector<std::string>{"cat", "dog", "ant"});
  CHECK(dataset.categories[2].id == 3);
  CHECK(dataset.warnings.empty());
  REQUIRE(dataset.images.size() == 3);
  CHECK(dataset.images[0].name == "a.jpg");
  CHECK(dataset.images[0].annotations.empty());
  CHECK(dataset.images[0].width == 10);
  CHECK(dataset.images[0].height == 20);
  CHECK(dataset.images[2].annotations.empty());
  const ImageRecord& image = dataset.images[1];
  CHECK(std::filesystem::equivalent(image.file, folder.path("set/images/train/b.png")));
  REQUIRE(image.annotations.size() == 2);
  CHECK(image.annotations[0].category == 1);
  CHECK(image.annotations[0].rect.box() == Box{75, 25, 125, 75});
  CHECK(image.annotations[0].area == 2500);
  CHECK(image.annotations[1].category == 0);
  CHECK(image.annotations[1].rect.box() == Box{10, 10, 30, 30});
}

TEST_CASE("YOLO pictures lie in several places") {
  const TemporaryFolder folder;
  const std::string label = "0 0.5 0.5 1 1\n";
  const auto check = [](const Dataset& dataset) {
    REQUIRE(dataset.images.size() == 1);
    CHECK(dataset.images[0].annotations.size() == 1);
    CHECK(names_of(dataset) == std::vector<std::string>{"0"});
  };
  write_picture(folder, "beside/a.png");
  folder.write("beside/a.txt", label);
  check(read_yolo(folder.path("beside"), ""));
  folder.write("elsewhere/a.txt", label);
  check(read_yolo(folder.path("elsewhere"), folder.path("beside")));
  write_picture(folder, "train/images/a.png");
  folder.write("train/labels/a.txt", label);
  check(read_yolo(folder.path("train"), ""));
  check(read_yolo(folder.path("train/labels/"), ""));
  // As Roboflow writes it: the path leads out of the folder in which the file lies.
  check(read_yolo(folder.write("data.yaml", "train: ../train/images\nval: ../valid/images\n"), ""));
  check(read_yolo(folder.write("other.yaml", "path: .\ntrain: train/images  # relative to path\n"), ""));
}

TEST_CASE("YOLO class names come from several files") {
  const std::vector<std::string> names = {"cat", "big dog"};
  CHECK(names_in("nc: 2\nnames: ['cat', \"big dog\"]\n") == names);
  CHECK(names_in("names: [cat, big dog,]  # two\ntrain: x") == names);
  CHECK(names_in("names: {0: cat, 1: big dog}") == names);
  CHECK(names_in("names:\n  0: cat\n  1: 'big dog'\n\ntrain: x\n") == names);
  CHECK(names_in("names:\n- cat\n- big dog\nnc: 2\n") == names);
  CHECK(names_in("---\nnames:\n  - cat\n  # between\n  - big dog\n") == names);
  CHECK(names_in("names: ['a, b', 'c: d', \"it's\"]") == std::vector<std::string>{"a, b", "c: d", "it's"});

  const TemporaryFolder folder;
  write_picture(folder, "images/a.png");
  folder.write("labels/a.txt", "1 0.5 0.5 1 1\n");
  const auto read = [&](const std::vector<std::string>& given = {}) {
    return names_of(read_yolo(folder.path("labels"), "", given));
  };
  CHECK(read() == std::vector<std::string>{"0", "1"});
  CHECK(read({"x", "y"}) == std::vector<std::string>{"x", "y"});
  folder.write("some.names", "cat\nbig dog\n");
  CHECK(read() == names);
  folder.write("labels/classes.txt", "ant\nbee\n\n");
  CHECK(read() == std::vector<std::string>{"ant", "bee"});
  CHECK(read_yolo(folder.path("labels"), "", {"bee", "ant"}).images[0].annotations[0].category == 0);
}

TEST_CASE("YOLO values a little outside of the picture are clamped, boxes without area dropped") {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("a.txt", "0 1.009 -0.009 1.005 1\n0 0.5 0.5 0 0.5\n");
  const Dataset dataset = read_yolo(folder.path(), "");
  REQUIRE(dataset.images[0].annotations.size() == 1);
  CHECK(dataset.images[0].annotations[0].rect.box() == Box{100, -50, 300, 50});
  REQUIRE(dataset.warnings.size() == 1);
  CHECK(dataset.warnings[0] == folder.path("a.txt") + ": line 2: box without area dropped");
}

TEST_CASE("YOLO labels without a picture and pictures that cannot be read are warnings") {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("b.png", "no picture");
  folder.write("b.txt", "0 0.5 0.5 1 1\n");
  folder.write("c.txt", "0 0.5 0.5 1 1\n");
  const Dataset dataset = read_yolo(folder.path(), "");
  REQUIRE(dataset.images.size() == 2);
  CHECK(dataset.images[1].width == 0);
  CHECK(dataset.images[1].annotations.empty());
  REQUIRE(dataset.warnings.size() == 2);
  CHECK(contains(dataset.warnings[0], folder.path("b.png") + ": cannot be decoded"));
  CHECK(contains(dataset.warnings[1],
                 folder.path() + ": no picture in " + folder.path() + " for 1 of the label files: 'c.txt'"));
}

TEST_CASE("bad YOLO labels are errors with file and line") {
  const std::string good = "0 0.5 0.5 0.1 0.1\n";
  CHECK(error_with(good + "0 0.5 0.5 0.1\n") == "a.txt: line 2: 4 columns instead of the five of class cx cy w h");
  CHECK(contains(error_with("0 0.1 0.1 0.2 0.1 0.2 0.2\n"),
                 "line 1: 7 columns instead of the five of class cx cy w h "
                 "(polygons are not supported)"));
  CHECK(contains(error_with("3 0.5 0.5 0.1 0.1\n"), "line 1: class 3, but there are only 3: 'cat', 'dog', 'ant'"));
  CHECK(contains(error_with("-1 0.5 0.5 0.1 0.1\n"), "line 1: the class is '-1'"));
  CHECK(contains(error_with("1.0 0.5 0.5 0.1 0.1\n"), "line 1: the class is '1.0'"));
  CHECK(contains(error_with("99999999999 0.5 0.5 0.1 0.1\n"), "line 1: the class is '99999999999'"));
  CHECK(error_with("0 nan 0.5 0.1 0.1\n") == "a.txt: line 1: cx is 'nan', not a finite number");
  CHECK(error_with("0 0.5 x 0.1 0.1\n") == "a.txt: line 1: cy is 'x', not a finite number");
  CHECK(contains(error_with(good + "0 0.5 0.5 -0.1 0.1\n"), "a.txt: line 2: w is -0.1, outside [0, 1]"));
  CHECK(contains(error_with("0 0.5 0.5 0.1 1.02\n"), "a.txt: line 1: h is 1.02, outside [0, 1]"));
  CHECK(contains(error_with("0 -0.02 0.5 0.1 0.1\n"), "a.txt: line 1: cx is -0.02, outside [0, 1]"));
  CHECK(error_with(good, {"dog", "ant"}) == "a.txt: line 1: class 'cat' is not one of 'dog', 'ant'");
}

TEST_CASE("missing and empty YOLO sets are errors") {
  const TemporaryFolder folder;
  const auto error = [](const std::string& path) { return error_of([&] { read_yolo(path, ""); }); };
  CHECK(error(folder.path("none")) == folder.path("none") + ": no such folder");
  CHECK(error(folder.path()) == folder.path() + ": no pictures");
  CHECK(error(folder.path("none.yaml")) == folder.path("none.yaml") + ": no such file");
  CHECK(error(folder.write("a.yaml", "names: [a]\n")) == folder.path("a.yaml") + ": no key 'train'");
  CHECK(contains(error(folder.write("b.yaml", "train: nowhere\n")), "b.yaml: 'train' is 'nowhere'"));
  CHECK(contains(error(folder.write("c.yaml", "names: [a,\n b]\n")), "c.yaml: line 1: the list of names"));
  CHECK(contains(error(folder.write("d.yaml", "names:\n  0: a\n  2: b\n")), "d.yaml: line 3: '2: b' should give"));
  CHECK(contains(error(folder.write("e.yaml", "names:\n  - a\n  - \xE4\n")), "e.yaml: line 3: the name of the class"));
}

TEST_CASE("the aerial cars' YOLO labels agree with their COCO files") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/kit_ais_cars/";
  const Dataset dataset = read_yolo(folder + "annotations_original", folder + "images");
  CHECK(dataset.warnings.empty());
  CHECK(names_of(dataset) == std::vector<std::string>{"car", "truck", "bus", "minibus", "cyclist"});
  std::map<std::string, const ImageRecord*> image_of;
  for (const ImageRecord& image : dataset.images) image_of[image.name] = &image;

  std::size_t compared = 0;
  for (const std::string split : {"train", "val"}) {
    const nlohmann::json coco = parse_json(read_bytes(folder + "instances_" + split + ".json"));
    std::map<int, const ImageRecord*> image_of_id;
    for (const auto& image : coco["images"]) {
      const ImageRecord* record = image_of.at(image["file_name"]);
      image_of_id[image["id"]] = record;
      CHECK(record->width == image["width"]);
      CHECK(record->height == image["height"]);
    }
    std::map<const ImageRecord*, std::size_t> next;
    for (const auto& a : coco["annotations"]) {
      const ImageRecord* record = image_of_id.at(a["image_id"]);
      REQUIRE(next[record] < record->annotations.size());
      const Annotation& annotation = record->annotations[next[record]++];
      CHECK(annotation.category + 1 == a["category_id"]);
      const Rect& r = annotation.rect;
      const double values[4] = {r.x, r.y, r.w, r.h};
      for (int i = 0; i < 4; ++i) CHECK(std::fabs(values[i] - a["bbox"][i].get<double>()) < 1e-4);
      ++compared;
    }
  }
  CHECK(dataset.images.size() == 33);
  CHECK(compared == 1066 + 255);
}
