#include "data/readers/merge_datasets.h"

#include "data/readers/read_dataset.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

std::vector<std::string> class_names(const Dataset& dataset) {
  std::vector<std::string> names;
  for (const Category& category : dataset.categories) names.push_back(category.name);
  return names;
}

}  // namespace

TEST_CASE("merge_datasets: of several files, classes with one name are one, and used ids are given anew") {
  const TemporaryFolder folder;
  const std::string first = folder.write("first.json", R"({
    "images": [{"id": 4, "file_name": "a.png", "width": 20, "height": 10}, {"id": 9, "file_name": "b.png"}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 4, "category_id": 7, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}]})");
  const std::string second = folder.write("second.json", R"({
    "images": [{"id": 4, "file_name": "c.png"}, {"id": 5, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "bird"}, {"id": 2, "name": "dog"}],
    "annotations": [{"id": 1, "image_id": 4, "category_id": 1, "bbox": [5, 5, 2, 2], "area": 4, "iscrowd": 0},
                    {"id": 8, "image_id": 5, "category_id": 2, "bbox": [6, 5, 2, 2], "area": 4, "iscrowd": 0}]})");
  const Dataset whole = read_dataset("", std::vector{first, second}, {});
  CHECK(class_names(whole) == std::vector<std::string>{"cat", "dog", "bird"});
  CHECK(whole.categories[0].id == 3);
  CHECK(whole.categories[1].id == 7);
  CHECK(whole.categories[2].id == 8);

  REQUIRE(whole.images.size() == 3);
  CHECK(whole.images[0].id == 4);
  CHECK(whole.images[1].id == 9);
  CHECK(whole.images[2].id == 10);
  CHECK(whole.images[2].name == "c.png");
  const std::vector<Annotation>& of_a = whole.images[0].annotations;
  REQUIRE(of_a.size() == 2);
  CHECK(of_a[0].category == 1);
  CHECK(of_a[1].category == 1);
  CHECK(of_a[1].rect.x == 6);
  REQUIRE(whole.images[2].annotations.size() == 1);
  CHECK(whole.images[2].annotations[0].category == 2);
  CHECK(whole.images[2].annotations[0].id == 2);

  const auto count = [&](const std::string& kind) {
    for (const Finding& finding : whole.findings) {
      if (finding.kind == kind) return finding.count;
    }
    return std::int64_t{0};
  };
  CHECK(count("several_files") == 1);
  CHECK(count("image_id_again") == 1);
}

TEST_CASE("merge_datasets: a text id leads to the picture with its new number") {
  const auto part = [](const std::string& text, const std::string& file) {
    Dataset dataset;
    dataset.categories = {{1, "cat"}};
    dataset.images = {{.id = 1, .file = file, .name = file, .annotations = {}}};
    dataset.image_text_ids = {{text, 1}};
    dataset.category_text_ids = {{"k" + text, 1}};
    dataset.origin = "part " + text;
    return dataset;
  };
  const Dataset whole = merge_datasets({part("x", "a.png"), part("y", "b.png")});
  CHECK(whole.image_text_ids == TextIds{{"x", 1}, {"y", 2}});
  CHECK(whole.category_text_ids == TextIds{{"kx", 1}, {"ky", 1}});
  CHECK(whole.origin == "part x; part y");
}

TEST_CASE("merge_datasets: one part stays as it is, and a validation set keeps the classes of its training set") {
  const TemporaryFolder folder;
  const std::string first = folder.write("a.csv", "a.png,1,2,3,4,dog\n");
  const std::string second = folder.write("b.csv", "b.png,1,2,3,4,cat\n");
  CHECK(class_names(read_dataset("", std::vector{second}, {})) == std::vector<std::string>{"cat"});
  CHECK(class_names(read_dataset("", std::vector{first, second}, {})) == std::vector<std::string>{"dog", "cat"});
  const Dataset validation = read_dataset("", std::vector{first, second}, {.categories = {"bird", "cat", "dog"}});
  CHECK(class_names(validation) == std::vector<std::string>{"bird", "cat", "dog"});
  REQUIRE(validation.images.size() == 2);
  CHECK(validation.images[0].annotations[0].category == 2);
  CHECK(validation.images[1].annotations[0].category == 1);
  CHECK(contains(error_of([&] {
                   read_dataset("", std::vector{first, folder.path("none.csv")}, {});
                 }),
                 "none.csv: no such"));
}
