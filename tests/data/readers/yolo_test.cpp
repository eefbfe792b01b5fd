#include "data/readers/yolo.h"

#include <cmath>
#include <map>

#include "data/pictures/image.h"
#include "data/readers/yolo_layout.h"
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
  return names_of(read_yolo(folder.path("labels"), {}));
}

/// Error for one label file with this text and three classes.
std::string yolo_error(const std::string& text, const std::vector<std::string>& categories = {}) {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("classes.txt", "cat\ndog\nant\n");
  const std::string file = folder.write("a.txt", text);
  const std::string error = error_of([&] { read_yolo(folder.path(), {.categories = categories}); });
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
  const Dataset dataset = read_yolo(folder.path("set/labels/train"), {});
  CHECK(names_of(dataset) == std::vector<std::string>{"cat", "dog", "ant"});
  CHECK(dataset.categories[2].id == 3);
  CHECK(dataset.warnings.empty());
  REQUIRE(dataset.images.size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(dataset.images[i].id == i + 1);
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
  check(read_yolo(folder.path("beside"), {}));
  folder.write("elsewhere/a.txt", label);
  check(read_yolo(folder.path("elsewhere"), {.images = folder.path("beside")}));
  write_picture(folder, "train/images/a.png");
  folder.write("train/labels/a.txt", label);
  check(read_yolo(folder.path("train"), {}));
  check(read_yolo(folder.path("train/labels/"), {}));
  // As Roboflow writes it: the path leads out of the folder in which the file lies.
  check(read_yolo(folder.write("data.yaml", "train: ../train/images\nval: ../valid/images\n"), {}));
  check(read_yolo(folder.write("other.yaml", "path: .\ntrain: train/images  # relative to path\n"), {}));
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
    return names_of(read_yolo(folder.path("labels"), {.categories = given}));
  };
  CHECK(read() == std::vector<std::string>{"0", "1"});
  CHECK(read({"x", "y"}) == std::vector<std::string>{"x", "y"});
  folder.write("some.names", "cat\nbig dog\n");
  CHECK(read() == names);
  folder.write("labels/classes.txt", "ant\nbee\n\n");
  CHECK(read() == std::vector<std::string>{"ant", "bee"});
  CHECK(read_yolo(folder.path("labels"), {.categories = {"bee", "ant"}}).images[0].annotations[0].category == 0);
}

TEST_CASE("YOLO values a little outside of the picture are clamped, boxes without area dropped") {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("a.txt", "0 1.009 -0.009 1.005 1\n0 0.5 0.5 0 0.5\n");
  const Dataset dataset = read_yolo(folder.path(), {});
  REQUIRE(dataset.images[0].annotations.size() == 1);
  CHECK(dataset.images[0].annotations[0].rect.box() == Box{100, -50, 300, 50});
  REQUIRE(dataset.warnings.size() == 1);
  CHECK(dataset.warnings[0] ==
        "box of zero or negative width or height: 1 left out (" + folder.path("a.txt") + ": line 2)");
}

TEST_CASE("YOLO labels without a picture and pictures that cannot be read are warnings") {
  const TemporaryFolder folder;
  write_picture(folder, "a.png");
  folder.write("b.png", "no picture");
  folder.write("b.txt", "0 0.5 0.5 1 1\n");
  folder.write("c.txt", "0 0.5 0.5 1 1\n");
  const Dataset dataset = read_yolo(folder.path(), {});
  REQUIRE(dataset.images.size() == 2);
  CHECK(dataset.images[1].width == 0);
  CHECK(dataset.images[1].annotations.empty());
  REQUIRE(dataset.warnings.size() == 2);
  CHECK(contains(dataset.warnings[0], folder.path("b.png") + ": cannot be decoded"));
  CHECK(dataset.warnings[1] == "label file without a picture: 1 left out (" + folder.path("c.txt") + ")");
}

TEST_CASE("YOLO lines that cannot be used are left out and counted, or refused by a strict reader") {
  const std::pair<const char*, const char*> cases[] = {
      {"0 0.5 0.5 0.1", "no_label"},       {"0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "no_label"},
      {"0 nan 0.5 0.1 0.1", "not_finite"}, {"0 0.5 x 0.1 0.1", "not_finite"},
      {"0 0.5 0.5 -0.1 0.1", "empty_box"}, {"0 0.5 0.5 0.1 1.02", "beyond"},
      {"0 -0.02 0.5 0.1 0.1", "beyond"},   {"0 50 50 10 10", "beyond"}};
  for (const auto& [line, kind] : cases) {
    INFO(line);
    const TemporaryFolder folder;
    write_picture(folder, "a.png");
    const std::string file = folder.write("a.txt", std::string("0 0.5 0.5 0.1 0.1\n") + line + "\n");
    const Dataset dataset = read_yolo(folder.path(), {});
    CHECK(dataset.images[0].annotations.size() == 1);
    REQUIRE(dataset.findings.size() == 1);
    CHECK(dataset.findings[0].kind == kind);
    CHECK(dataset.findings[0].dropped);
    CHECK(contains(error_of([&] { read_yolo(folder.path(), {.strict = true}); }), file + ": line 2"));
  }
}

TEST_CASE("YOLO polygons give their boxes, a sixth column is left aside, 0.0 is class 0") {
  const TemporaryFolder folder;
  write_picture(folder, "a.png", 100, 100);
  folder.write("a.txt", "0.0 0.5 0.5 0.2 0.4\n0 0.10 0.20 0.30 0.20 0.35 0.50 0.05 0.45\n1 0.25 0.25 0.1 0.1 0.93\n");
  const Dataset dataset = read_yolo(folder.path(), {});
  const std::vector<Annotation>& a = dataset.images[0].annotations;
  REQUIRE(a.size() == 3);
  CHECK(a[1].rect.box() == Box{5, 20, 35, 50});
  CHECK(a[2].rect.box() == Box{20, 20, 30, 30});
  REQUIRE(dataset.findings.size() == 2);
  CHECK(dataset.findings[0].kind == "polygon");
  CHECK(dataset.findings[1].kind == "sixth_column");
}

TEST_CASE("the split of a data.yaml decides which pictures are read") {
  const TemporaryFolder folder;
  for (const char* part : {"train", "valid", "test"}) {
    write_picture(folder, std::string(part) + "/images/" + part + ".png");
    folder.write(std::string(part) + "/labels/" + part + ".txt", "0 0.5 0.5 1 1\n");
  }
  const std::string yaml =
      folder.write("data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: [ball]\n");
  const auto names = [](const Dataset& dataset) {
    std::vector<std::string> all;
    for (const ImageRecord& image : dataset.images) {
      all.push_back(image.name);
      CHECK(image.annotations.size() == 1);
    }
    return all;
  };
  CHECK(names(read_yolo(yaml, {})) == std::vector<std::string>{"train.png"});
  CHECK(names(read_yolo(yaml, {.split = DatasetSplit::val})) == std::vector<std::string>{"valid.png"});
  CHECK(names(read_yolo(folder.path(), {.split = DatasetSplit::test})) == std::vector<std::string>{"test.png"});
  CHECK(contains(read_yolo(yaml, {.split = DatasetSplit::val}).origin, "its val: ../valid/images"));
  const std::string other =
      folder.write("other.yaml", "path: .\ntrain:\n  - train/images\n  - test/images\nvalid: val.txt\n");
  folder.write("val.txt", "./valid/images/valid.png\n\nvalid/images/valid.png\n");
  CHECK(names(read_yolo(other, {})) == std::vector<std::string>{"train/images/train.png", "test/images/test.png"});
  const Dataset listed = read_yolo(other, {.split = DatasetSplit::val});
  CHECK(listed.images.size() == 1);
  CHECK(listed.findings.at(0).kind == "listed_twice");
  CHECK(contains(error_of([&] { read_yolo(other, {.split = DatasetSplit::test}); }), "no key 'test'"));
  CHECK(contains(error_of([&] { read_yolo(folder.path("train"), {.split_asked = true}); }), "--split has nothing"));
}

TEST_CASE("darknet's files are read") {
  const TemporaryFolder folder;
  write_picture(folder, "data/obj/a.png");
  folder.write("data/obj/a.txt", "1 0.5 0.5 1 1\n");
  folder.write("data/obj.names", "cat\ndog\n");
  const std::string list = folder.write("data/train.txt", "data/obj/a.png\n");
  const std::string settings =
      folder.write("data/obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n");
  CHECK(is_yolo_list(list));
  for (const std::string& file : {list, settings}) {
    INFO(file);
    CHECK(recognises_yolo(file));
    const Dataset dataset = read_yolo(file, {});
    REQUIRE(dataset.images.size() == 1);
    CHECK(dataset.images[0].annotations.size() == 1);
    CHECK(names_of(dataset) == std::vector<std::string>{"cat", "dog"});
  }
}

TEST_CASE("YOLO labels are found in folders and under names that are written otherwise") {
  const TemporaryFolder folder;
  const char* pictures[] = {"a/001.png",      "b/001.png", "Capture_d\u00e9cran.png",
                            "u\u0308ber.png", "KLEIN.png", "n.png"};
  const char* labels[] = {"a/001.txt", "b/001.txt", "Capture_d%C3%A9cran.txt", "\u00fcber.txt", "klein.TXT"};
  for (const char* picture : pictures) write_picture(folder, std::string("images/") + picture);
  for (const char* label : labels) folder.write(std::string("labels/") + label, "0 0.5 0.5 1 1\n");
  const Dataset dataset = read_yolo(folder.path(), {});
  REQUIRE(dataset.images.size() == 6);
  for (const ImageRecord& image : dataset.images) {
    INFO(image.name);
    CHECK(image.annotations.size() == (image.name == "n.png" ? 0 : 1));
  }
  REQUIRE(dataset.findings.size() == 1);
  CHECK(dataset.findings[0].kind == "label_name");
  CHECK(dataset.findings[0].count == 3);
}

TEST_CASE("bad YOLO labels are errors with file and line") {
  const std::string good = "0 0.5 0.5 0.1 0.1\n";
  CHECK(contains(yolo_error("3 0.5 0.5 0.1 0.1\n"), "line 1: class 3, but there are only 3: 'cat', 'dog', 'ant'"));
  CHECK(contains(yolo_error("-1 0.5 0.5 0.1 0.1\n"), "line 1: the class is '-1'"));
  CHECK(contains(yolo_error("1.5 0.5 0.5 0.1 0.1\n"), "line 1: the class is '1.5'"));
  CHECK(contains(yolo_error("99999999999 0.5 0.5 0.1 0.1\n"), "line 1: the class is '99999999999'"));
  CHECK(yolo_error(good, {"dog", "ant"}) == "a.txt: line 1: class 'cat' is not one of 'dog', 'ant'");
}

TEST_CASE("missing and empty YOLO sets are errors") {
  const TemporaryFolder folder;
  const auto error = [](const std::string& path) { return error_of([&] { read_yolo(path, {}); }); };
  CHECK(error(folder.path("none")) == folder.path("none") + ": no such folder");
  CHECK(error(folder.path()) == folder.path() + ": no pictures");
  CHECK(error(folder.path("none.yaml")) == folder.path("none.yaml") + ": no such file");
  CHECK(error(folder.write("a.yaml", "names: [a]\n")) ==
        folder.path("a.yaml") + ": no key 'train'; --split chooses another part");
  CHECK(contains(error(folder.write("b.yaml", "train: nowhere\n")), "b.yaml: 'train' is 'nowhere'"));
  CHECK(contains(error(folder.write("c.yaml", "names: [a,\n b]\n")), "c.yaml: no key 'train'"));
  CHECK(contains(error(folder.write("f.yaml", "names: [a, b\n")), "f.yaml: line 1: the list is not closed"));
  CHECK(contains(error(folder.write("d.yaml", "names:\n  0: a\n  2: b\n")), "d.yaml: line 3: '2: b' should give"));
  CHECK(contains(error(folder.write("e.yaml", "names:\n  - a\n  - \xE4\n")), "e.yaml: line 3: the name of the class"));
}

TEST_CASE("the aerial cars' YOLO labels agree with their COCO files") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/kit_ais_cars/";
  const Dataset dataset = read_yolo(folder + "annotations_original", {.images = folder + "images"});
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
