#include "data/dataset_hash.h"

#include "data/shapes_stream.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

Dataset some_dataset() {
  Dataset dataset;
  dataset.categories = {{1, "cat"}, {4, "dog"}};
  ImageRecord image{7, "/data/a.jpg", "a.jpg", 30, 20, {}};
  image.annotations.push_back({1, 1, {2, 3, 4, 5}, 20, false, false});
  dataset.images = {image, {8, "/data/b.jpg", "b.jpg", 10, 10, {}}};
  return dataset;
}

template <class Change>
std::string changed(const Change& change) {
  Dataset dataset = some_dataset();
  change(dataset);
  return dataset_hash(dataset);
}

}  // namespace

TEST_CASE("hash of a data set: what it tells apart") {
  const std::string hash = dataset_hash(some_dataset());
  CHECK(hash.size() == 16);
  CHECK(dataset_hash({}) == "");
  CHECK(changed([](Dataset& d) { d.categories[0].name = "cot"; }) != hash);
  CHECK(changed([](Dataset& d) { d.categories[0].id = 2; }) != hash);
  const std::string streamed = changed([](Dataset& d) { d.stream = shapes_stream({}); });
  CHECK(streamed != hash);
  CHECK(changed([](Dataset& d) { d.stream = shapes_stream({.seed = 1}); }) != streamed);
  CHECK(changed([](Dataset& d) { std::swap(d.images[0], d.images[1]); }) != hash);
  CHECK(changed([](Dataset& d) { d.images.pop_back(); }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].name = "c.jpg"; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].width = 31; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].height = 21; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].annotations.clear(); }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].annotations[0].category = 0; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].annotations[0].crowd = true; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].annotations[0].difficult = true; }) != hash);
  CHECK(changed([](Dataset& d) { d.images[0].annotations[0].area = 19; }) != hash);
  for (double Rect::*side : {&Rect::x, &Rect::y, &Rect::w, &Rect::h}) {
    CHECK(changed([&](Dataset& d) { d.images[0].annotations[0].rect.*side += 1e-9; }) != hash);
  }
}

TEST_CASE("hash of a data set: it does not depend on where the files lie") {
  const std::string hash = dataset_hash(some_dataset());
  CHECK(changed([](Dataset& d) { d.images[0].file = "/elsewhere/a.jpg"; }) == hash);
  CHECK(changed([](Dataset& d) { d.images[0].name = "elsewhere/a.jpg"; }) == hash);
  CHECK(changed([](Dataset& d) { d.warnings = {"a box was dropped"}; }) == hash);
}
