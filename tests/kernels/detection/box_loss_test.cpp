#include "kernels/detection/box_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/plain/box_loss.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using test::Head;

constexpr BoxLoss kKinds[] = {BoxLoss::l1, BoxLoss::smooth_l1, BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou};

/// Whether an edge of the prediction lies so near to one of the target that the loss has a kink there.
bool near_kink(const BoxT<double>& p, const BoxT<double>& t) {
  const auto near = [](double a, double b) { return std::fabs(a - b) < 0.3; };
  return near(p.x1, t.x1) || near(p.x2, t.x2) || near(p.x1, t.x2) || near(p.x2, t.x1) || near(p.y1, t.y1) ||
         near(p.y2, t.y2) || near(p.y1, t.y2) || near(p.y2, t.y1);
}

TEST_CASE("box loss: value and derivative against central differences in double") {
  const std::vector<float> r = test::uniform(12 * 300, 0, 1, 21);
  for (const BoxCoder& coder : {BoxCoder{}, BoxCoder{10, 10, 5, 5}}) {
    for (BoxLoss kind : kKinds) {
      int checked = 0, apart = 0;
      for (int i = 0; i < 300; ++i) {
        const float* v = &r[i * 12];
        const BoxT<double> anchor{v[0] * 30, v[1] * 30, v[0] * 30 + 10 + v[2] * 40, v[1] * 30 + 10 + v[3] * 40};
        const BoxT<double> target{v[4] * 60, v[5] * 60, v[4] * 60 + 5 + v[6] * 60, v[5] * 60 + 5 + v[7] * 60};
        double deltas[4], found[4];
        for (int j = 0; j < 4; ++j) deltas[j] = (v[8 + j] - 0.5) * (j < 2 ? 2 * coder.wx : 2 * coder.ww);
        const BoxT<double> box = decode_box(coder, anchor, deltas);
        const double beta = 0.4;
        bool skip = near_kink(box, target);
        if (kind == BoxLoss::l1 || kind == BoxLoss::smooth_l1) {
          double wanted[4];
          encode_box(coder, anchor, target, wanted);
          skip = false;
          for (int j = 0; j < 4; ++j) {
            const double d = std::fabs(deltas[j] - wanted[j]);
            skip |= std::fabs(d - beta) < 0.01 || d < 0.01;
          }
        }
        if (skip) continue;
        ++checked;
        apart += box.x2 < target.x1 || target.x2 < box.x1 || box.y2 < target.y1 || target.y2 < box.y1;

        const double value = box_loss_value(kind, beta, coder, anchor, target, deltas, found);
        double aspect_weight = -1;
        REQUIRE(value ==
                Approx(plain::box_loss_value(kind, beta, coder, anchor, target, deltas, aspect_weight)).epsilon(1e-12));
        for (int j = 0; j < 4; ++j) {
          const double measured = test::derivative(
              [&](double x) {
                double moved[4] = {deltas[0], deltas[1], deltas[2], deltas[3]};
                moved[j] = x;
                return plain::box_loss_value(kind, beta, coder, anchor, target, moved, aspect_weight);
              },
              deltas[j], 1e-3);
          INFO("kind " << static_cast<int>(kind) << " case " << i << " delta " << j);
          REQUIRE(std::fabs(found[j] - measured) < 1e-6);
        }
      }
      CHECK(checked > 100);
      CHECK(apart > 5);
    }
  }
}

double loss_of(BoxLoss kind, const BoxT<double>& anchor, const BoxT<double>& target, double derivative[4]) {
  const double deltas[4] = {0, 0, 0, 0};
  return box_loss_value(kind, 1.0, BoxCoder{}, anchor, target, deltas, derivative);
}

TEST_CASE("box loss: values by hand") {
  double d[4];
  const BoxT<double> square{0, 0, 10, 10}, right{20, 0, 30, 10}, half{5, 0, 15, 10}, tall{0, 0, 10, 20};
  CHECK(loss_of(BoxLoss::giou, square, right, d) == Approx(1 + 100.0 / 300));  // disjoint: U 200, C 300
  CHECK(loss_of(BoxLoss::diou, square, right, d) == Approx(1 + 400.0 / 1000));
  CHECK(loss_of(BoxLoss::ciou, square, right, d) == Approx(1 + 400.0 / 1000));
  CHECK(loss_of(BoxLoss::giou, square, half, d) == Approx(2.0 / 3));
  CHECK(loss_of(BoxLoss::diou, square, half, d) == Approx(2.0 / 3 + 25.0 / 325));
  CHECK(loss_of(BoxLoss::diou, square, tall, d) == Approx(0.5 + 25.0 / 500));
  CHECK(loss_of(BoxLoss::ciou, square, tall, d) == Approx(0.553246).epsilon(1e-5));
  CHECK(loss_of(BoxLoss::l1, square, tall, d) == Approx(0.5 + std::log(2.0)));
  CHECK(loss_of(BoxLoss::smooth_l1, square, tall, d) == Approx(0.125 + std::log(2.0) * std::log(2.0) / 2));
}

TEST_CASE("box loss: a perfect prediction costs nothing and is stationary") {
  for (BoxLoss kind : kKinds) {
    double derivative[4] = {9, 9, 9, 9};
    CHECK(loss_of(kind, {3, 4, 33, 24}, {3, 4, 33, 24}, derivative) == Approx(0).margin(1e-9));
    for (double d : derivative) CHECK(d == Approx(0).margin(1e-9));
  }
}

TEST_CASE("box loss: no gradient through sizes beyond the clamp, finite for wild deltas") {
  for (BoxLoss kind : {BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou}) {
    double derivative[4];
    const double clamped[4] = {0, 0, 4.5, 0.2};
    box_loss_value(kind, 0.0, BoxCoder{}, {0, 0, 10, 10}, {2, 3, 9, 11}, clamped, derivative);
    CHECK(derivative[2] == 0);
    CHECK(derivative[3] != 0);
    for (float size : {-1e4f, -200.0f, -40.0f, 40.0f, 1e4f}) {
      for (float other : {-1e4f, -40.0f, 0.0f, 40.0f}) {
        const float wild[4] = {3, -3, size, other};
        float d[4];
        INFO("kind " << static_cast<int>(kind) << " dw " << size << " dh " << other);
        REQUIRE(
            std::isfinite(box_loss_value(kind, 0.0f, BoxCoder{}, {500, 500, 532, 532}, {510, 490, 540, 520}, wild, d)));
        for (float v : d) REQUIRE(std::isfinite(v));
      }
    }
  }
}

TEST_CASE("box loss: smooth l1 with beta 0 is l1") {
  const float deltas[4] = {0.5f, -0.25f, 0, 2};
  float a[4], b[4];
  const BoxT<float> anchor{0, 0, 16, 16}, target{1, 2, 12, 30};
  CHECK(box_loss_value(BoxLoss::l1, 0.7f, {}, anchor, target, deltas, a) ==
        box_loss_value(BoxLoss::smooth_l1, 0.0f, {}, anchor, target, deltas, b));
  CHECK(std::equal(a, a + 4, b));
}

/// Two images with boxes and one without, matched to a small grid.
struct Scene {
  AnchorGrid grid = test::small_grid(3, 20, 17, 8);
  std::vector<float> boxes = {10, 12, 50, 44, 70, 20, 100, 90, 30, 60, 41, 85, 5, 5, 120, 110};
  std::vector<std::int32_t> classes = {0, 2, 1, 4}, offsets = {0, 3, 3, 4};
  std::vector<std::int32_t> labels, matches, positives;
  std::vector<float> scale = {0.5f, 1.0f, 2.0f};

  Scene() : labels(3 * grid.size()), matches(3 * grid.size()), positives(3) {
    cpu::match_anchors({grid,
                        {3, 4, boxes.data(), classes.data(), offsets.data()},
                        {0.5f, 0.4f, true, 0.5f},
                        labels.data(),
                        matches.data(),
                        positives.data()});
  }

  template <class T>
  BoxLossArgs<T> args(test::DeviceArrays& at, BoxLoss kind, Head<T>& head, bool with_gradient) const {
    BoxLossArgs<T> args;
    args.kind = kind;
    args.beta = 0.1f;
    args.coder = {10, 10, 5, 5};
    args.grid = grid;
    args.truth = {3, 4, at(boxes), at(classes), at(offsets)};
    args.deltas = head.levels(at, with_gradient);
    args.labels = at(labels);
    args.matches = at(matches);
    args.scale = with_gradient ? at(scale) : nullptr;
    args.losses = nullptr;
    return args;
  }

  template <class T>
  std::vector<float> losses(Device device, BoxLoss kind, Head<T>& head, bool with_gradient = true,
                            std::size_t shift = 0, std::vector<float>* ious = nullptr) const {
    std::vector<float> result(3, NAN);
    test::DeviceArrays at(device, shift);
    BoxLossArgs<T> with_losses = args(at, kind, head, with_gradient);
    with_losses.losses = at(result);
    if (ious) with_losses.ious = at(*ious);
    DIOPTER_DISPATCH(device, box_loss, with_losses);
    at.download();
    return result;
  }
};

template <class T>
void require_plain_sum(Device device, BoxLoss kind, int padding, double tolerance) {
  const Scene scene;
  const std::int64_t anchors = scene.grid.size();
  Head<T> head(3, 3, 4, test::pixels_of(scene.grid), padding);
  head.fill(test::uniform(3 * anchors * 4, -0.5f, 0.5f, 8));
  const std::vector<float> losses = scene.losses(device, kind, head, true, padding == 1 ? 1 : 0);
  CHECK(scene.losses(device, kind, head, false) == losses);

  std::vector<double> expected(3), gradients;
  std::vector<float> ious(scene.labels.size(), -7), expected_ious = ious;
  CHECK(scene.losses(device, kind, head, false, 0, &ious) == losses);
  test::DeviceArrays host(Device::cpu);
  BoxLossArgs<T> in_plain = scene.args(host, kind, head, false);
  in_plain.ious = expected_ious.data();
  plain::box_loss(in_plain, expected.data());
  for (std::size_t i = 0; i < ious.size(); ++i) REQUIRE(std::fabs(ious[i] - expected_ious[i]) < 2e-6f);
  CHECK(std::any_of(ious.begin(), ious.end(), [](float iou) { return iou > 0.1f; }));
  CHECK(std::count(ious.begin(), ious.end(), -7.0f) ==
        std::count_if(scene.labels.begin(), scene.labels.end(), [](std::int32_t label) { return label < 0; }));

  std::vector<Box> boxes(anchors);
  cpu::generate_anchors(scene.grid, test::coordinates(boxes.data()));
  std::vector<float> found;
  for (int image = 0; image < 3; ++image) {
    for (std::int64_t a = 0; a < anchors; ++a) {
      double derivative[4] = {0, 0, 0, 0};
      if (scene.labels[image * anchors + a] >= 0) {
        const float* t = &scene.boxes[(scene.offsets[image] + scene.matches[image * anchors + a]) * 4];
        double deltas[4];
        for (int i = 0; i < 4; ++i) deltas[i] = static_cast<float>(head.value(image, a, i));
        const Box& b = boxes[a];
        box_loss_value<double>(kind, 0.1f, {10, 10, 5, 5}, {b.x1, b.y1, b.x2, b.y2}, {t[0], t[1], t[2], t[3]}, deltas,
                               derivative);
      }
      for (int i = 0; i < 4; ++i) {
        gradients.push_back(scene.scale[image] * derivative[i]);
        found.push_back(head.gradient(image, a, i));
      }
    }
  }
  test::require_close(losses, expected, test::Tolerance::sum);
  test::require_close(found, gradients, tolerance);
  CHECK(expected[0] > 0);
  CHECK(losses[1] == 0);
  CHECK(head.canaries() == head.padding_values());
}

TEST_CASE("box loss: equals a plain sum in double") {
  const Device device = GENERATE(from_range(test::devices()));
  for (BoxLoss kind : kKinds) {
    for (int padding : {0, 1, 4}) {
      INFO("kind " << static_cast<int>(kind) << " padding " << padding);
      require_plain_sum<float>(device, kind, padding, test::Tolerance::sum);
      require_plain_sum<bf16>(device, kind, padding, test::Tolerance::bf16);
    }
  }
}

TEST_CASE("box loss: same bits for any number of threads and every time") {
  const Device device = GENERATE(from_range(test::devices()));
  const Scene scene;
  Head<float> head(3, 3, 4, test::pixels_of(scene.grid));
  head.fill(test::uniform(3 * scene.grid.size() * 4, -0.5f, 0.5f, 8));
  const std::vector<float> losses = scene.losses(device, BoxLoss::ciou, head), gradients = head.all_gradients();
  test::with_thread_counts([&] {
    REQUIRE(scene.losses(device, BoxLoss::ciou, head) == losses);
    REQUIRE(head.all_gradients() == gradients);
  });
}

TEST_CASE("box loss: any number of anchors") {
  const Device device = GENERATE(from_range(test::devices()));
  for (int n : {1, 31, 32, 33, 255, 256, 257, 1000}) {
    AnchorGrid grid;
    grid.levels = 1;
    grid.cells = 1;
    grid.level[0] = {1, n, 1, 1, {{0, 0, 10, 10}}};
    const std::vector<float> boxes = {0, 0, 20, 5}, scale = {1};
    const std::vector<std::int32_t> classes = {0}, offsets = {0, 1}, matches(n, 0);
    std::vector<std::int32_t> labels(n, 0);  // all are positive but every fifth
    for (int i = 0; i < n; i += 5) labels[i] = kIgnore;
    Head<float> head(1, 1, 4, {n});
    head.fill(std::vector<float>(n * 4, 0));
    std::vector<float> losses(1, NAN);
    test::on(device, [&](auto& at) {
      BoxLossArgs<float> args;
      args.grid = grid;
      args.truth = {1, 1, at(boxes), at(classes), at(offsets)};
      args.deltas = head.levels(at);
      args.labels = at(labels);
      args.matches = at(matches);
      args.scale = at(scale);
      args.losses = at(losses);
      DIOPTER_DISPATCH(device, box_loss, args);
    });
    double expected = 0;
    for (int i = 0; i < n; ++i) {
      const bool positive = i % 5 != 0;
      if (positive) expected += std::fabs(0.5 - i / 10.0) + 0.25 + 2 * std::log(2.0);
      const double dx = !positive || i == 5 ? 0 : i < 5 ? -1 : 1;
      CHECK(head.gradient(0, i, 0) == dx);
      CHECK(head.gradient(0, i, 1) == (positive ? 1 : 0));
      CHECK(head.gradient(0, i, 2) == (positive ? -1 : 0));
      CHECK(head.gradient(0, i, 3) == (positive ? 1 : 0));
    }
    CHECK(losses[0] == Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("box loss: no images") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<std::int32_t> offsets = {0};
  test::on(device, [&](auto& at) {
    BoxLossArgs<float> args{};
    args.truth = {0, 0, nullptr, nullptr, at(offsets)};
    DIOPTER_DISPATCH(device, box_loss, args);
  });
}

}  // namespace
}  // namespace diopter
