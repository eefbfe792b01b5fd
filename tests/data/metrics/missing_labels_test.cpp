#include "data/metrics/missing_labels.h"

#include "tests/data/make_dataset.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("likely missing labels are confident detections on nothing", "[missing_labels]") {
  const Rect box = {0, 0, 20, 20}, crowd = {100, 100, 50, 50};
  const Dataset truth = make_dataset({5, 3}, {1, 2}, {{1, 5, 1, box, 400}, {2, 5, 1, crowd, 2500, true}});
  const Rect alone = {50, 0, 20, 20};
  const std::vector<MissingLabel> labels =
      likely_missing_labels(truth,
                            {{5, 1, box, 0.99},                // labelled
                             {5, 2, {10, 10, 20, 20}, 0.98},   // IoU 1/7 with an object of the other class
                             {5, 2, {17, 0, 20, 20}, 0.7},     // IoU 3/37
                             {5, 1, {110, 110, 10, 10}, 0.9},  // in the crowd
                             {5, 1, alone, 0.8},
                             {5, 2, {52, 0, 20, 20}, 0.85},  // IoU 9/11 with it, and better
                             {3, 1, alone, 0.6},
                             {3, 1, {90, 0, 20, 20}, 0.59},  // not confident enough
                             {9, 1, alone, 0.9},             // of no image
                             {3, 9, alone, 0.9}},            // of no class
                            0.6);
  REQUIRE(labels.size() == 3);
  CHECK(labels[0].score == 0.85);
  CHECK(labels[0].image == 0);
  CHECK(labels[0].category == 1);
  CHECK(labels[1].score == 0.7);
  CHECK(labels[2].score == 0.6);
  CHECK(labels[2].image == 1);
  CHECK(labels[2].rect.x == 50);
}
