#include "data/repeat_factors.h"

#include <cmath>

#include "tests/support/catch.h"

using namespace diopter;

namespace {

/// A picture with an object of each of these classes.
ImageRecord picture(const std::vector<int>& classes) {
  ImageRecord record{1, "", "", 10, 10, {}};
  for (const int c : classes) record.annotations.push_back({1, c, {1, 1, 5, 5}, 25});
  return record;
}

/// Class 0 in 8 of 10 pictures, class 1 in 2, class 2 in 1; crowds and difficult ones of class 2 beside it. Class 3 is
/// nowhere.
Dataset ten_pictures() {
  Dataset dataset;
  dataset.categories = {{1, "often"}, {2, "rare"}, {3, "once"}, {4, "never"}};
  for (int i = 0; i < 7; ++i) dataset.images.push_back(picture({0, 0}));
  dataset.images.push_back(picture({0, 1, 1}));
  dataset.images.push_back(picture({1, 2}));
  dataset.images.push_back(picture({}));
  dataset.images[0].annotations.push_back({1, 2, {1, 1, 5, 5}, 25, true});
  dataset.images[1].annotations.push_back({1, 2, {1, 1, 5, 5}, 25, false, true});
  return dataset;
}

}  // namespace

TEST_CASE("repeat factors: sqrt(threshold / share of pictures), the largest of a picture's classes, at least 1") {
  const Dataset dataset = ten_pictures();
  const std::vector<double> classes = class_repeat_factors(dataset, 0.4);
  REQUIRE(classes.size() == 4);
  CHECK(classes[0] == 1);
  CHECK(classes[1] == Approx(std::sqrt(2)));
  CHECK(classes[2] == Approx(2));
  CHECK(classes[3] == 1);
  const std::vector<double> pictures = repeat_factors(dataset, 0.4);
  REQUIRE(pictures.size() == 10);
  for (const int i : {0, 1, 2, 3, 4, 5, 6, 9}) CHECK(pictures[i] == 1);
  CHECK(pictures[7] == Approx(std::sqrt(2)));
  CHECK(pictures[8] == Approx(2));
  CHECK(repeat_factors(dataset, 0) == std::vector<double>(10, 1));
}

TEST_CASE("repeat factors: how often the objects of a class come in an epoch") {
  const std::vector<double> means = mean_repeats(ten_pictures(), 0.4);
  REQUIRE(means.size() == 4);
  CHECK(means[0] == Approx((14 + std::sqrt(2)) / 15));
  CHECK(means[1] == Approx((2 * std::sqrt(2) + 2) / 3));
  CHECK(means[2] == Approx(2));
  CHECK(means[3] == 1);
}
