#include "kernels/detection/classification_loss.h"

#include <cmath>

#include "kernels/common/check.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using test::Head;

/// Mostly background, some classes, some ignored.
std::vector<std::int32_t> some_labels(std::size_t n, int classes, std::uint64_t seed) {
  std::vector<std::int32_t> labels(n, kBackground);
  Philox random(seed, 7);
  for (std::int32_t& label : labels) {
    const std::uint32_t draw = random.below(8);
    if (draw == 0) label = kIgnore;
    if (draw == 1) label = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes)));
  }
  return labels;
}

struct Case {
  int images, cells, classes;
  std::vector<std::int64_t> pixels;
  int padding;
};

template <class T>
void require_plain_sum(const Case& c, const FocalLoss& loss, double tolerance) {
  Head<T> head(c.images, c.cells, c.classes, c.pixels, c.padding);
  const std::int64_t anchors = head.levels().anchors();
  head.fill(test::uniform(c.images * anchors * c.classes, -8, 4, 3));
  const std::vector<std::int32_t> labels = some_labels(c.images * anchors, c.classes, 5);
  // Logits of ignored anchors are never read: they may be anything.
  for (int image = 0; image < c.images; ++image) {
    for (std::int64_t a = 0; a < anchors; ++a) {
      if (labels[image * anchors + a] == kIgnore) head.value(image, a, 0) = T(NAN);
    }
  }
  const std::vector<float> scale = test::uniform(c.images, 0.1f, 3, 11);
  std::vector<float> losses(c.images, NAN), values_only(c.images, NAN);
  cpu::classification_loss(ClassificationLossArgs<T>{head.levels(), labels.data(), scale.data(), losses.data()}, loss);
  cpu::classification_loss(ClassificationLossArgs<T>{head.levels(false), labels.data(), nullptr, values_only.data()},
                           loss);

  std::vector<double> expected(c.images);
  double largest_error = 0;  // of the gradients, relative
  for (int image = 0; image < c.images; ++image) {
    for (std::int64_t a = 0; a < anchors; ++a) {
      const std::int32_t label = labels[image * anchors + a];
      for (int k = 0; k < c.classes; ++k) {
        ValueAndDerivative<double> l{0, 0};
        if (label != kIgnore) l = loss(double(static_cast<float>(head.value(image, a, k))), k == label);
        expected[image] += l.value;
        const double gradient = scale[image] * l.derivative;
        largest_error = std::fmax(largest_error, std::fabs(head.gradient(image, a, k) - gradient) /
                                                     std::fmax(1e-30, std::fabs(gradient)));
      }
    }
  }
  CHECK(largest_error <= tolerance);
  test::require_close(losses, expected, test::Tolerance::elementwise);
  CHECK(losses == values_only);
  CHECK(head.canaries() == head.padding_values());
}

TEST_CASE("classification loss: equals a plain sum in double") {
  const std::vector<Case> cases = {
      {2, 9, 7, {37, 12, 4, 1}, 0}, {2, 9, 7, {37, 12, 4, 1}, 5}, {1, 1, 1, {1}, 0},      {3, 1, 1, {31, 32, 33}, 0},
      {1, 3, 1, {257, 16}, 1},      {2, 1, 80, {255, 256}, 0},    {1, 9, 3, {3000, 1}, 0}, {1, 2, 80, {33}, 8},
      {2, 1, 10000, {3}, 0},        {0, 9, 3, {5}, 0},            {2, 9, 3, {}, 0}};
  for (const Case& c : cases) {
    INFO("images " << c.images << " cells " << c.cells << " classes " << c.classes << " padding " << c.padding);
    require_plain_sum<float>(c, FocalLoss{}, 1e-5);
    require_plain_sum<bf16>(c, FocalLoss{}, 0.00391);  // half a unit in the last place of bf16
  }
  for (float gamma : {0.0f, 0.5f, 1.0f, 1.5f, 5.0f}) {
    require_plain_sum<float>({2, 3, 5, {40, 10}, 0}, FocalLoss{gamma, -1}, 1e-5);
  }
}

TEST_CASE("classification loss: all anchors ignored") {
  Head<float> head(2, 3, 4, {10, 5});  // logits are NaN
  const std::vector<std::int32_t> labels(2 * 45, kIgnore);
  const float scale[] = {1, 1};
  std::vector<float> losses(2, NAN);
  cpu::classification_loss(ClassificationLossArgs<float>{head.levels(), labels.data(), scale, losses.data()},
                           FocalLoss{});
  CHECK(losses == std::vector<float>{0, 0});
  CHECK(head.all_gradients() == std::vector<float>(2 * 45 * 4, 0.0f));
}

TEST_CASE("classification loss: a small gradient times a large scale survives bf16") {
  Head<bf16> head(1, 1, 1, {1});
  head.value(0, 0, 0) = bf16(-30.0f);
  const std::int32_t label = kBackground;
  const float scale = 65536;
  float loss;
  cpu::classification_loss(ClassificationLossArgs<bf16>{head.levels(), &label, &scale, &loss}, FocalLoss{});
  CHECK(head.gradient(0, 0, 0) == Approx(scale * FocalLoss{}(-30.0, false).derivative).epsilon(0.004));
}

TEST_CASE("classification loss: initial loss of 2,016 anchors and 80 classes") {
  Head<float> head(1, 9, 80, {168, 56});
  head.fill(std::vector<float>(2016 * 80, -4.59511985f));
  std::vector<std::int32_t> labels(2016, kBackground);
  float loss;
  cpu::classification_loss(ClassificationLossArgs<float>{head.levels(false), labels.data(), nullptr, &loss},
                           FocalLoss{});
  CHECK(loss == Approx(0.12157).epsilon(1e-4));
  labels[100] = 3;
  cpu::classification_loss(ClassificationLossArgs<float>{head.levels(false), labels.data(), nullptr, &loss},
                           FocalLoss{});
  CHECK(loss == Approx(0.12157 + 1.128382).epsilon(1e-4));
}

TEST_CASE("classification loss: same bits for any number of threads and every time") {
  Head<float> head(3, 9, 5, {500, 125, 30});
  head.fill(test::uniform(3 * 655 * 9 * 5, -8, 4, 2));
  const std::vector<std::int32_t> labels = some_labels(3 * 655 * 9, 5, 1);
  const float scale[] = {1, 0.5f, 2};
  std::vector<float> first_losses, first_gradients;
  test::with_thread_counts([&] {
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<float> losses(3, NAN);
      cpu::classification_loss(ClassificationLossArgs<float>{head.levels(), labels.data(), scale, losses.data()},
                               FocalLoss{});
      if (first_losses.empty()) {
        first_losses = losses;
        first_gradients = head.all_gradients();
      }
      REQUIRE(losses == first_losses);
      REQUIRE(head.all_gradients() == first_gradients);
    }
  });
}

TEST_CASE("classification loss: a label beyond the classes is an error") {
  Head<float> head(1, 1, 3, {2});
  head.fill(std::vector<float>(6, 0.0f));
  const std::int32_t labels[] = {kBackground, 3};
  float loss;
  CHECK_THROWS_AS(
      cpu::classification_loss(ClassificationLossArgs<float>{head.levels(false), labels, nullptr, &loss}, FocalLoss{}),
      Error);
}

}  // namespace
}  // namespace diopter
