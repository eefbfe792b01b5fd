#include "kernels/detection/pairs/box_pairs.h"

#include <cmath>

#include "kernels/plain/box_loss.h"
#include "kernels/plain/box_pairs.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

constexpr BoxLoss kIouLosses[] = {BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou};

/// n boxes with sides from 1 to 12 in a square of 30 pixels: about half of the pairs overlap.
std::vector<float> some_boxes(std::int64_t n, std::uint64_t seed) {
  std::vector<float> boxes = test::uniform(static_cast<std::size_t>(4 * n), 1, 12, seed);
  for (std::int64_t i = 0; i < n; ++i) {
    float* b = boxes.data() + 4 * i;
    b[0] *= 1.5f, b[1] *= 1.5f;
    b[2] += b[0], b[3] += b[1];
  }
  return boxes;
}

BoxT<double> in_double(const std::vector<float>& boxes, std::int64_t i) {
  const Box b = box_at(boxes.data(), i);
  return {b.x1, b.y1, b.x2, b.y2};
}

}  // namespace

TEST_CASE("box pairs: overlaps of each with each") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const std::int64_t rows : {0, 1, 3, 257}) {
    for (const std::int64_t columns : {0, 1, 5, 300}) {
      INFO(rows << " x " << columns);
      const std::vector<float> a = some_boxes(rows, 1), b = some_boxes(columns, 2);
      std::vector<float> ious(static_cast<std::size_t>(rows * columns), NAN), expected = ious;
      plain::pairwise_iou({rows, columns, a.data(), b.data(), expected.data()});
      test::DeviceArrays at(device, 1);
      DIOPTER_DISPATCH(device, pairwise_iou, PairwiseIouArgs{rows, columns, at(a), at(b), at(ious)});
      at.download();
      REQUIRE(ious == expected);
    }
  }
}

TEST_CASE("box pairs: loss and gradient are those in double, on every device") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const BoxLoss kind : kIouLosses) {
    for (const std::int64_t n : {0, 1, 31, 256, 1500}) {
      INFO(static_cast<int>(kind) << ", " << n << " pairs");
      const std::vector<float> boxes = some_boxes(n, 3), targets = some_boxes(n, 4);
      std::vector<float> losses(static_cast<std::size_t>(n), NAN), gradient(static_cast<std::size_t>(4 * n), NAN);
      std::vector<float> expected_losses = losses, expected_gradient = gradient, losses_alone = losses;
      plain::box_pair_loss(
          {kind, 1e-7f, n, boxes.data(), targets.data(), expected_losses.data(), expected_gradient.data()});
      test::DeviceArrays at(device);
      DIOPTER_DISPATCH(device, box_pair_loss,
                       BoxPairLossArgs{kind, 1e-7f, n, at(boxes), at(targets), at(losses), at(gradient)});
      DIOPTER_DISPATCH(device, box_pair_loss,
                       BoxPairLossArgs{kind, 1e-7f, n, at(boxes), at(targets), at(losses_alone), nullptr});
      at.download();
      test::require_close(losses, expected_losses, 1e-5);
      test::require_close(gradient, expected_gradient, 1e-5);
      REQUIRE(losses_alone == losses);
    }
  }
}

// The anchor is the box and the deltas are 0: the value is that of the loss of anchors, whose plain version knows
// ciou's constant.
TEST_CASE("box pairs: the value is the formula, the gradient its difference quotient") {
  const std::vector<float> boxes = some_boxes(60, 5), targets = some_boxes(60, 6);
  const double no_deltas[4] = {};
  for (const BoxLoss kind : kIouLosses) {
    for (std::int64_t i = 0; i < 60; ++i) {
      const BoxT<double> box = in_double(boxes, i), target = in_double(targets, i);
      double derivative[4], aspect = -1;
      const double value = box_pair_loss_value(kind, box, target, kIouEpsilon, derivative);
      REQUIRE(value == Approx(plain::box_loss_value(kind, 0, {}, box, target, no_deltas, aspect)).epsilon(1e-12));
      double BoxT<double>::*const corners[] = {&BoxT<double>::x1, &BoxT<double>::y1, &BoxT<double>::x2,
                                               &BoxT<double>::y2};
      for (int c = 0; c < 4; ++c) {
        const double measured = test::derivative(
            [&](double x) {
              BoxT<double> moved = box;
              moved.*corners[c] = x;
              return plain::box_loss_value(kind, 0, {}, moved, target, no_deltas, aspect);
            },
            box.*corners[c], 1e-3);
        INFO(static_cast<int>(kind) << ", pair " << i << ", corner " << c);
        REQUIRE(std::fabs(derivative[c] - measured) < 1e-7);
      }
    }
  }
}

TEST_CASE("box pairs: a box that is its target is stationary, and the epsilon counts") {
  const BoxT<double> box{1, 2, 5, 9};
  double derivative[4];
  for (const BoxLoss kind : kIouLosses) {
    CHECK(std::fabs(box_pair_loss_value(kind, box, box, 1e-9, derivative)) < 1e-9);
    for (const double d : derivative) CHECK(std::fabs(d) < 1e-9);
    CHECK(box_pair_loss_value(kind, box, box, 1.0, derivative) > 0.01);
  }
}

}  // namespace diopter
