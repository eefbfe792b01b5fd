#include "kernels/detection/box.h"

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

TEST_CASE("box: area, intersection and IoU") {
  CHECK(box_area({1, 2, 4, 7}) == 15);
  CHECK(box_intersection({0, 0, 4, 4}, {2, 1, 6, 3}) == 4);
  CHECK(box_intersection({0, 0, 4, 4}, {4, 0, 8, 4}) == 0);  // half-open: touching is not meeting
  CHECK(box_intersection({0, 0, 4, 4}, {5, 5, 8, 8}) == 0);  // two negative extents
  CHECK(box_iou({0, 0, 4, 4}, {0, 0, 4, 4}) == 1);
  CHECK(box_iou({0, 0, 4, 4}, {0, 0, 4, 8}) == 0.5f);
  CHECK(box_iou({3, 3, 3, 3}, {3, 3, 3, 3}) == 0);
  CHECK(box_iou({-4, -4, 0, 0}, {-2, -4, 2, 0}) == Approx(1.0 / 3));
}

TEST_CASE("box: encoding by hand") {
  const BoxCoder coder{10, 10, 5, 5};
  double deltas[4];
  encode_box<double>(coder, {0, 0, 10, 20}, {5, 0, 25, 20}, deltas);
  CHECK(deltas[0] == Approx(10.0 * (15 - 5) / 10));
  CHECK(deltas[1] == Approx(0));
  CHECK(deltas[2] == Approx(5 * std::log(2.0)));
  CHECK(deltas[3] == Approx(0));
}

TEST_CASE("box: decoding reverses encoding") {
  const std::vector<float> r = test::uniform(8 * 200, 1, 100, 4);
  for (const BoxCoder& coder : {BoxCoder{}, BoxCoder{10, 10, 5, 5}, BoxCoder{1, 2, 3, 4}}) {
    for (int i = 0; i < 200; ++i) {
      const float* v = &r[i * 8];
      const BoxT<double> anchor{v[0], v[1], v[0] + v[2] / 4 + 5, v[1] + v[3] / 4 + 5};
      const BoxT<double> box{v[4], v[5], v[4] + v[6], v[5] + v[7]};
      double deltas[4];
      encode_box(coder, anchor, box, deltas);
      const BoxT<double> back = decode_box(coder, anchor, deltas);
      REQUIRE(back.x1 == Approx(box.x1).margin(1e-10));
      REQUIRE(back.y1 == Approx(box.y1).margin(1e-10));
      REQUIRE(back.x2 == Approx(box.x2).margin(1e-10));
      REQUIRE(back.y2 == Approx(box.y2).margin(1e-10));
    }
  }
}

TEST_CASE("box: decoding clamps sizes from above only") {
  const double limit = 1000.0 / 16;
  for (double large : {kMaxLogScale, 5.0, 1e4}) {
    const double deltas[4] = {0, 0, large, large};
    const BoxT<double> box = decode_box<double>({}, {-1, -1, 1, 1}, deltas);
    CHECK(box.x2 - box.x1 == Approx(2 * limit));
    CHECK(box.y2 - box.y1 == Approx(2 * limit));
  }
  const double scaled[4] = {0, 0, 20, 0};  // weight 5: log scale 4, below the clamp
  CHECK(decode_box<double>({10, 10, 5, 5}, {-1, -1, 1, 1}, scaled).x2 == Approx(std::exp(4.0)));
  const double small[4] = {100, 0, -30, 0};
  const BoxT<double> box = decode_box<double>({}, {-1, -1, 1, 1}, small);
  CHECK(box.x1 == Approx(200));
  CHECK(box.x2 - box.x1 < 1e-9);
}

}  // namespace
}  // namespace diopter
