#include "data/metrics/confusion_matrix.h"

#include "tests/data/make_dataset.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("classes that are taken for others are counted", "[confusion_matrix]") {
  const Rect left = {0, 0, 20, 20}, right = {50, 0, 20, 20}, below = {0, 50, 20, 20};
  const Dataset truth = make_dataset({1, 2}, {1, 5},
                                     {{1, 1, 1, left, 400},
                                      {2, 1, 5, right, 400},
                                      {3, 1, 5, below, 400},
                                      {4, 2, 1, left, 400},
                                      {5, 2, 5, right, 400, true}});
  const std::vector<Detection> detections = {{1, 1, left, 0.9},  {1, 5, left, 0.8},   // the second one is too late
                                             {1, 1, right, 0.7},                      // wrong class
                                             {1, 5, below, 0.3},                      // score too low
                                             {2, 5, left, 0.95}, {2, 1, left, 0.6},   // the better one wins
                                             {2, 5, right, 0.9},                      // in the crowd
                                             {2, 1, right, 0.9},                      // no crowd of its class
                                             {2, 7, left, 0.9},  {9, 1, left, 0.9}};  // unknown
  const ConfusionMatrix matrix = confusion_matrix(truth, detections, 0.5);
  REQUIRE(matrix.classes == 2);
  CHECK(matrix.counts == std::vector<std::int64_t>{1, 1, 0,    // class 1
                                                   1, 0, 1,    // class 5
                                                   2, 1, 0});  // background
  CHECK(matrix.at(1, 2) == 1);
  CHECK(confusion_matrix(truth, detections, 0.2).at(1, 1) == 1);
}

TEST_CASE("from an IoU of a half on a detection is of the object", "[confusion_matrix]") {
  const Dataset truth = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 20, 20}, 400}});
  const auto found = [&](double height) {
    return confusion_matrix(truth, {{1, 1, {0, 0, 20, height}, 0.9}}, 0.5).at(0, 0);
  };
  CHECK(found(10) == 1);
  CHECK(found(9) == 0);
  CHECK(found(41) == 0);
}

TEST_CASE("a confusion matrix of nothing", "[confusion_matrix]") {
  CHECK(confusion_matrix({}, {}, 0).counts == std::vector<std::int64_t>{0});
}

TEST_CASE("the classes that are taken for each other most often", "[confusion_matrix]") {
  ConfusionMatrix matrix{3,
                         {5, 1, 2, 9,    //
                          1, 7, 3, 9,    //
                          0, 1, 4, 9,    //
                          9, 9, 9, 0}};  // neither background nor missed objects count
  const auto most = most_confused(matrix);
  REQUIRE(most);
  CHECK(most->first == 1);
  CHECK(most->second == 2);
  CHECK(most->mistaken == 3 + 1);
  CHECK(most->found == 3 + 1 + 7 + 4);
  matrix.counts = {5, 2, 2, 0, 0, 7, 1, 0, 0, 1, 4, 0, 0, 0, 0, 0};  // three pairs with two objects each
  CHECK(most_confused(matrix)->second == 1);
  matrix.counts = {5, 0, 0, 3, 0, 7, 0, 0, 0, 0, 4, 0, 3, 0, 0, 0};
  CHECK_FALSE(most_confused(matrix));
}
