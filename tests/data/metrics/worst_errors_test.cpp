#include "data/metrics/worst_errors.h"

#include "tests/data/make_dataset.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

const Rect kLeft{0, 0, 20, 20}, kRight{50, 0, 30, 30}, kBelow{0, 50, 10, 10}, kFarAway{100, 100, 20, 20};

Dataset some_truth() {
  return make_dataset({1, 2}, {1, 5},
                      {{1, 1, 1, kLeft, 400},
                       {2, 1, 5, kRight, 900},
                       {3, 1, 5, kBelow, 100},
                       {4, 2, 1, kLeft, 400},
                       {5, 2, 1, kRight, 900, true}});
}

}  // namespace

TEST_CASE("the worst errors: confident detections of nothing, and large objects that are not found", "[worst_errors]") {
  const Dataset truth = some_truth();
  const std::vector<Detection> detections = {
      {1, 1, kLeft, 0.9},   {1, 1, kFarAway, 0.3},   // a hit, and nothing there
      {1, 1, kRight, 0.8},                           // wrong class
      {1, 5, kBelow, 0.2},                           // a hit with a low score
      {2, 1, kRight, 0.95}, {2, 1, kFarAway, 0.7}};  // of the crowd; nothing there
  const CocoMatches matches = match_coco(truth, detections);
  const WorstErrors any = worst_errors(truth, detections, matches, {}, 10);
  REQUIRE(any.false_positives.size() == 3);
  CHECK(any.false_positives[0].score == 0.8);
  CHECK(any.false_positives[0].category == 0);
  CHECK(any.false_positives[0].rect.x == kRight.x);
  CHECK(any.false_positives[1].score == 0.7);
  CHECK(any.false_positives[1].image == 1);
  CHECK(any.false_positives[2].score == 0.3);
  REQUIRE(any.missed.size() == 2);  // largest first
  CHECK(any.missed[0].category == 1);
  CHECK(any.missed[0].rect.x == kRight.x);
  CHECK(any.missed[1].image == 1);

  const WorstErrors strict = worst_errors(truth, detections, matches, {0.9, 0.3}, 10);
  REQUIRE(strict.missed.size() == 3);
  CHECK(strict.missed[2].rect.y == kBelow.y);
  CHECK(worst_errors(truth, detections, matches, {0.9, 0.2}, 10).missed.size() == 2);

  const WorstErrors few = worst_errors(truth, detections, matches, {}, 1);
  REQUIRE(few.false_positives.size() == 1);
  CHECK(few.false_positives[0].score == 0.8);
  CHECK(few.missed.size() == 1);
}

TEST_CASE("the worst errors of nothing", "[worst_errors]") {
  const Dataset truth = some_truth();
  const WorstErrors errors = worst_errors(truth, {}, match_coco(truth, {}), {}, 10);
  CHECK(errors.false_positives.empty());
  CHECK(errors.missed.size() == 4);
}
