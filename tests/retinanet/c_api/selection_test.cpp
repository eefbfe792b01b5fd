#include <cmath>

#include "kernels/plain/nms.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/support/random.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("C interface: the k largest of each row above a value") {
  HostArray values({2, 5}, std::vector<float>{1, 5, 3, 5, NAN, -1, -2, -3, 0.5f, -5});
  HostArray indices = filled<std::int32_t>({2, 3}, 99), top = filled({2, 3}, 99.0f),
            counts = filled<std::int32_t>({2}, 99);
  REQUIRE(diopter_top_k(values, 0, indices, top, counts, nullptr) == DIOPTER_OK);
  CHECK(counts.values<std::int32_t>() == std::vector<std::int32_t>{3, 1});
  CHECK(indices.values<std::int32_t>()[0] == 1);
  CHECK(indices.values<std::int32_t>()[1] == 3);
  CHECK(indices.values<std::int32_t>()[2] == 2);
  CHECK(indices.values<std::int32_t>()[3] == 3);
  CHECK(top.values<float>()[3] == 0.5f);
  require_refused(diopter_top_k(values, NAN, indices, top, counts, nullptr), {"min_value: is NaN"});

  HostArray nothing = filled({2, 0}, 0.0f);
  REQUIRE(diopter_top_k(nothing, 0, indices, top, counts, nullptr) == DIOPTER_OK);
  CHECK(counts.values<std::int32_t>() == std::vector<std::int32_t>{0, 0});
}

namespace {

struct NmsCase {
  static constexpr int kImages = 2, kBoxes = 40, kRoom = 30;
  HostArray boxes = filled({kImages, kBoxes, 4}, 0.0f), scores{{kImages, kBoxes}, uniform(80, 0, 1, 5)};
  HostArray labels = filled<std::int32_t>({kImages, kBoxes}, 0), counts{{kImages}, std::vector<std::int32_t>{40, 25}};
  HostArray keep = filled<std::int32_t>({kImages, kRoom}, -7), kept = filled<std::int32_t>({kImages}, -7);

  NmsCase() {
    const std::vector<float> corners = uniform(kImages * kBoxes * 4, 0, 20, 6);
    for (int i = 0; i < kImages * kBoxes; ++i) {
      const float x = corners[4 * i], y = corners[4 * i + 1];
      set_box(boxes.data<float>(), i, {x, y, x + 4 + corners[4 * i + 2], y + 4 + corners[4 * i + 3]});
      labels.data<std::int32_t>()[i] = i % 3;
    }
  }
  /// What the plain kernel keeps of an image.
  std::vector<std::int32_t> expected(int image, bool class_aware, const std::vector<std::int32_t>& of) {
    std::vector<std::int32_t> all(kImages * kRoom), numbers(kImages);
    plain::batched_nms({kImages, kBoxes, boxes.data<float>(), scores.data<float>(), labels.data<std::int32_t>(),
                        of.data(), 0.3f, class_aware, kRoom, all.data(), numbers.data()});
    return {all.begin() + image * kRoom, all.begin() + image * kRoom + numbers[image]};
  }
  std::vector<std::int32_t> result(int image) {
    const std::int32_t* first = keep.data<std::int32_t>() + image * kRoom;
    return {first, first + kept.data<std::int32_t>()[image]};
  }
};

}  // namespace

TEST_CASE("C interface: non-maximum suppression keeps what the kernel keeps") {
  NmsCase c;
  const std::vector<std::int32_t> some{40, 25}, all{40, 40};
  REQUIRE(diopter_batched_nms(c.boxes, c.scores, c.labels, c.counts, 0.3f, c.keep, c.kept, nullptr) == DIOPTER_OK);
  for (const int image : {0, 1}) CHECK(c.result(image) == c.expected(image, true, some));
  REQUIRE(diopter_batched_nms(c.boxes, c.scores, nullptr, nullptr, 0.3f, c.keep, c.kept, nullptr) == DIOPTER_OK);
  for (const int image : {0, 1}) CHECK(c.result(image) == c.expected(image, false, all));
  CHECK(c.expected(0, true, some) != c.expected(0, false, some));

  require_refused(diopter_batched_nms(c.boxes, c.scores, c.labels, c.counts, 1.5f, c.keep, c.kept, nullptr),
                  {"iou_threshold: is 1.5, must be from 0 to 1"});
  c.counts.data<std::int32_t>()[1] = 41;
  require_refused(diopter_batched_nms(c.boxes, c.scores, c.labels, c.counts, 0.3f, c.keep, c.kept, nullptr),
                  {"counts: of image 1 is 41, must be from 0 to 40"});
}

TEST_CASE("C interface: non-maximum suppression of no boxes, and with no room") {
  HostArray boxes = filled({2, 0, 4}, 0.0f), scores = filled({2, 0}, 0.0f);
  HostArray keep = filled<std::int32_t>({2, 3}, 9), kept = filled<std::int32_t>({2}, 9);
  REQUIRE(diopter_batched_nms(boxes, scores, nullptr, nullptr, 0.5f, keep, kept, nullptr) == DIOPTER_OK);
  CHECK(kept.values<std::int32_t>() == std::vector<std::int32_t>{0, 0});
  NmsCase c;
  HostArray no_room = filled<std::int32_t>({2, 0}, 9);
  REQUIRE(diopter_batched_nms(c.boxes, c.scores, nullptr, nullptr, 0.5f, no_room, kept, nullptr) == DIOPTER_OK);
  CHECK(kept.values<std::int32_t>() == std::vector<std::int32_t>{0, 0});
}
