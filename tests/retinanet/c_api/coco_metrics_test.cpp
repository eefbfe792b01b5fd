#include <cmath>

#include "data/metrics/coco_metrics.h"
#include "tests/retinanet/c_api/support.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Three pictures: two with objects, one with a detection only.
struct Case {
  HostArray image_ids{{4}, std::vector<std::int64_t>{7, 7, 3, 3}};
  HostArray category_ids{{4}, std::vector<std::int64_t>{2, 5, 2, 2}};
  HostArray boxes{{4, 4}, std::vector<double>{0, 0, 10, 10, 20, 20, 50, 50, 5, 5, 40, 40, 0, 0, 100, 100}};
  HostArray crowds{{4}, std::vector<std::uint8_t>{0, 0, 0, 1}};
  HostArray images{{3}, std::vector<std::int64_t>{3, 7, 9}};
  HostArray found_image_ids{{4}, std::vector<std::int64_t>{7, 7, 3, 9}};
  HostArray found_category_ids{{4}, std::vector<std::int64_t>{2, 5, 2, 2}};
  HostArray found_boxes{{4, 4}, std::vector<double>{0, 0, 10, 9, 22, 20, 50, 50, 60, 60, 20, 20, 1, 1, 5, 5}};
  HostArray scores{{4}, std::vector<double>{0.9, 0.8, 0.7, 0.6}};
  HostArray numbers = filled<double>({12}, NAN);

  int call() {
    return diopter_coco_metrics(image_ids, category_ids, boxes, nullptr, crowds, images, found_image_ids,
                                found_category_ids, found_boxes, scores, numbers);
  }
};

}  // namespace

TEST_CASE("C interface: COCO's numbers are those of the data set that the arrays describe") {
  Dataset truth;
  truth.categories = {{2, "a"}, {5, "b"}};
  truth.images.resize(3);
  truth.images[0] = {.id = 3,
                     .file = "",
                     .name = "",
                     .annotations = {{3, 0, {5, 5, 40, 40}, 1600}, {4, 0, {0, 0, 100, 100}, 10000, true}}};
  truth.images[1] = {
      .id = 7, .file = "", .name = "", .annotations = {{1, 0, {0, 0, 10, 10}, 100}, {2, 1, {20, 20, 50, 50}, 2500}}};
  truth.images[2].id = 9;
  const std::vector<Detection> found{{7, 2, {0, 0, 10, 9}, 0.9},
                                     {7, 5, {22, 20, 50, 50}, 0.8},
                                     {3, 2, {60, 60, 20, 20}, 0.7},
                                     {9, 2, {1, 1, 5, 5}, 0.6}};
  const std::vector<double> expected = list_of(coco_metrics(truth, found).stats);

  Case c;
  INFO(diopter_last_error());
  const int status = c.call();
  INFO(diopter_last_error());
  REQUIRE(status == DIOPTER_OK);
  CHECK(c.numbers.values<double>() == expected);
  CHECK(expected[0] > 0.1);

  SECTION("without a list of pictures: the same") {
    REQUIRE(diopter_coco_metrics(c.image_ids, c.category_ids, c.boxes, nullptr, c.crowds, nullptr, c.found_image_ids,
                                 c.found_category_ids, c.found_boxes, c.scores, c.numbers) == DIOPTER_OK);
    CHECK(c.numbers.values<double>() == expected);
  }
  SECTION("a crowd counts when it is not said to be one") {
    REQUIRE(diopter_coco_metrics(c.image_ids, c.category_ids, c.boxes, nullptr, nullptr, c.images, c.found_image_ids,
                                 c.found_category_ids, c.found_boxes, c.scores, c.numbers) == DIOPTER_OK);
    CHECK(c.numbers.values<double>() != expected);
  }
  SECTION("areas make objects large") {
    HostArray areas = filled({4}, 20000.0);
    REQUIRE(diopter_coco_metrics(c.image_ids, c.category_ids, c.boxes, areas, c.crowds, c.images, c.found_image_ids,
                                 c.found_category_ids, c.found_boxes, c.scores, c.numbers) == DIOPTER_OK);
    CHECK(c.numbers.data<double>()[3] == -1);
    CHECK(c.numbers.data<double>()[5] >= 0);
  }
}

TEST_CASE("C interface: evaluation of nothing, and of ids and scores that cannot be") {
  Case c;
  HostArray none = filled<std::int64_t>({0}, 0), no_boxes = filled({0, 4}, 0.0), no_scores = filled({0}, 0.0);
  REQUIRE(diopter_coco_metrics(none, none, no_boxes, nullptr, nullptr, nullptr, none, none, no_boxes, no_scores,
                               c.numbers) == DIOPTER_OK);
  CHECK(c.numbers.values<double>() == std::vector<double>(12, -1));
  c.images.data<std::int64_t>()[1] = 8;
  require_refused(c.call(), {"image_ids: 7 of object 0 is not in images"});
  c.images.data<std::int64_t>()[1] = 7;
  c.found_image_ids.data<std::int64_t>()[3] = 1;
  require_refused(c.call(), {"found_image_ids: 1 of detection 3 is not in images"});
  c.found_image_ids.data<std::int64_t>()[3] = 9;
  c.scores.data<double>()[0] = NAN;
  CHECK(c.call() == DIOPTER_FAILED);
}
