#include "kernels/detection/classification_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/base/check.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/plain/classification_loss.h"
#include "tests/kernels/detection/loss_variations.h"
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

/// Sums over the images, and the gradient in `head` when there is a scale. `shift`: elements by which arrays are off
/// the addresses that allow wide accesses.
template <class T>
std::vector<float> losses_of(Device device, Head<T>& head, const std::vector<std::int32_t>& labels, const AnyLoss& loss,
                             const std::vector<float>& scale, std::size_t shift = 0,
                             const std::vector<float>& qualities = {}) {
  std::vector<float> losses(head.images(), NAN);
  test::DeviceArrays at(device, shift);
  const bool with_gradient = !scale.empty();
  DIOPTER_DISPATCH(
      device, classification_loss,
      ClassificationLossArgs<T>{head.levels(at, with_gradient), at(labels), with_gradient ? at(scale) : nullptr,
                                at(losses), qualities.empty() ? nullptr : at(qualities)},
      loss);
  at.download();
  return losses;
}

/// How fast the derivative of a loss changes with the logit.
double slope_of_derivative(const AnyLoss& loss, double x, bool positive) {
  constexpr double kStep = 1e-4;
  return std::fabs(loss_at(loss, x + kStep, positive).derivative - loss_at(loss, x - kStep, positive).derivative) /
         (2 * kStep);
}

/// Compares with the plain loop, for these labels of all images' anchors. The gradients' tolerance is relative; to a
/// tenth of their slope where that is more, next to where a loss begins to count, and to `least` where both are
/// smaller.
template <class T>
void require_plain_sum_of(const std::vector<std::int32_t>& labels, Device device, const Case& c, const AnyLoss& loss,
                          double tolerance, std::size_t shift = 0, double least = 1e-30,
                          double tolerance_of_sums = test::Tolerance::elementwise) {
  Head<T> head(c.images, c.cells, c.classes, c.pixels, c.padding);
  const std::int64_t anchors = head.anchors();
  head.fill(test::uniform(c.images * anchors * c.classes, -8, 4, 3));
  // Logits of ignored anchors are never read: they may be anything.
  for (int image = 0; image < c.images; ++image) {
    for (std::int64_t a = 0; a < anchors; ++a) {
      if (labels[image * anchors + a] == kIgnore) head.value(image, a, 0) = T(NAN);
    }
  }
  const std::vector<float> scale = test::uniform(c.images, 0.1f, 3, 11);
  const std::vector<float> losses = losses_of(device, head, labels, loss, scale, shift);
  const std::vector<float> values_only = losses_of(device, head, labels, loss, {}, shift);

  std::vector<double> expected, gradients;
  test::DeviceArrays host(Device::cpu);
  plain::classification_loss<T>({head.levels(host, false), host(labels), host(scale), nullptr, nullptr}, loss, expected,
                                gradients);
  double largest_error = 0;  // of the gradients, relative
  for (std::int64_t i = 0; i < c.images * anchors * c.classes; ++i) {
    const std::int64_t anchor = i / c.classes;
    const int image = static_cast<int>(anchor / anchors), k = static_cast<int>(i % c.classes);
    const float gradient = head.gradient(image, anchor % anchors, k);
    const double error = std::fabs(gradient - gradients[i]);
    if (error <= tolerance * std::fmax(least, std::fabs(gradients[i]))) continue;
    const auto x = static_cast<double>(static_cast<float>(head.value(image, anchor % anchors, k)));
    const double slope = std::fabs(double{scale[image]}) * slope_of_derivative(loss, x, labels[anchor] == k);
    largest_error = std::fmax(largest_error, error / std::fmax(std::fabs(gradients[i]), 0.1 * slope));
  }
  CHECK(largest_error <= tolerance);
  test::require_close(losses, expected, tolerance_of_sums);
  CHECK(losses == values_only);
  CHECK(head.canaries() == head.padding_values());
}

std::int64_t anchors_of(const Case& c) {
  return c.images * c.cells * std::accumulate(c.pixels.begin(), c.pixels.end(), std::int64_t{0});
}

template <class T>
void require_plain_sum(Device device, const Case& c, const AnyLoss& loss, double tolerance, std::size_t shift = 0,
                       double least = 1e-30, double tolerance_of_sums = test::Tolerance::elementwise) {
  require_plain_sum_of<T>(some_labels(anchors_of(c), c.classes, 5), device, c, loss, tolerance, shift, least,
                          tolerance_of_sums);
}

TEST_CASE("classification loss: equals a plain sum in double") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<Case> cases = {{2, 9, 7, {37, 12, 4, 1}, 0},
                                   {2, 9, 7, {37, 12, 4, 1}, 5},
                                   {1, 1, 1, {1}, 0},
                                   {3, 1, 1, {0, 1, 31, 32, 33, 255, 256, 257}, 0},
                                   {1, 3, 1, {257, 16}, 1},
                                   {2, 1, 80, {255, 256}, 0},
                                   {1, 9, 3, {3000, 1}, 0},
                                   {1, 2, 80, {33}, 8},
                                   {2, 1, 10000, {3}, 0},
                                   {0, 9, 3, {5}, 0},
                                   {2, 9, 3, {}, 0},
                                   {1, 2, 4, {31, 32}, 4},
                                   {1, 3, 91, {257}, 7}};
  for (const Case& c : cases) {
    INFO("images " << c.images << " cells " << c.cells << " classes " << c.classes << " padding " << c.padding);
    require_plain_sum<float>(device, c, loss_named("focal"), 1e-5);
    require_plain_sum<bf16>(device, c, loss_named("focal"), 0.00391);  // half a unit in the last place of bf16
  }
  for (float gamma : {0.0f, 0.5f, 1.0f, 1.5f, 5.0f}) {
    require_plain_sum<float>(device, {2, 3, 5, {40, 10}, 0}, loss_named("focal", {gamma, -1}), 1e-5);
  }
  require_plain_sum<float>(device, {2, 3, 20, {40, 10}, 0}, loss_named("focal"), 1e-5, 1);
  require_plain_sum<bf16>(device, {2, 3, 20, {40, 10}, 0}, loss_named("focal"), 0.00391, 3);
}

TEST_CASE("classification loss: runs of logits around the lengths of vectors and blocks") {
  const Device device = GENERATE(from_range(test::devices()));
  for (int classes : {1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 144, 255, 257}) {
    INFO(classes << " classes");
    require_plain_sum<float>(device, {1, 1, classes, {11}, 3}, loss_named("focal"), 1e-5);
    require_plain_sum<bf16>(device, {1, 1, classes, {11}, 3}, loss_named("focal"), 0.00391);
  }
}

// The CUDA kernel has a shorter way for tiles of 16 KB, 4096 floats or 8192 bf16, that are background and nothing else.
template <class T>
void require_tiles(Device device, double tolerance) {
  const std::int64_t tile = std::is_same_v<T, bf16> ? 8192 : 4096;
  for (const int classes : {1, 20, 91}) {
    const std::int64_t anchors = 2 * tile / classes + 40;
    const Case c{2, 1, classes, {anchors, anchors}, 0};
    INFO(classes << " classes on " << test::device_name(device));
    std::vector<std::int32_t> labels(anchors_of(c), kBackground);
    require_plain_sum_of<T>(labels, device, c, loss_named("focal"), tolerance);
    require_plain_sum_of<T>(labels, device, c, loss_named("focal"), tolerance, 1);  // no aligned addresses
    // One that is not background, about the borders of the first level's tiles, and at its end.
    for (const std::int64_t place : {std::int64_t{0}, tile - classes, tile - 1, tile, tile + classes, 2 * tile - 1,
                                     2 * tile, anchors * classes - 1}) {
      std::int32_t& label = labels[place / classes];
      for (const std::int32_t other : {kIgnore, 0, classes - 1}) {
        if (other == 0 && place != tile) continue;
        INFO("label " << other << " at the anchor of logit " << place);
        label = other;
        require_plain_sum_of<T>(labels, device, c, loss_named("focal"), tolerance);
      }
      label = kBackground;
    }
  }
  // Tiles as long as the level, and gaps between pixels.
  for (const Case& c : {Case{1, 1, 64, {2 * tile / 64}, 0}, Case{2, 2, 20, {tile / 20}, 8}}) {
    require_plain_sum_of<T>(std::vector<std::int32_t>(anchors_of(c), kBackground), device, c, loss_named("focal"),
                            tolerance);
  }
}

TEST_CASE("classification loss: tiles of background, and one anchor that is not") {
  const Device device = GENERATE(from_range(test::devices()));
  require_tiles<float>(device, 1e-5);
  require_tiles<bf16>(device, 0.00391);
}

TEST_CASE("classification loss: logits and gradient off the addresses for wide accesses, each by itself") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<float> logits = test::uniform(4096 + 1, -8, 4, 3), scale{2};
  const std::vector<std::int32_t> labels(64, kBackground);
  for (int before_x : {0, 1}) {
    for (int before_gradient : {0, 1, 2}) {
      INFO(before_x << " and " << before_gradient << " elements before on " << test::device_name(device));
      std::vector<float> gradient(4096 + 2, NAN), losses{NAN};
      test::on(device, [&](auto& at) {
        HeadLevels<float> heads{.count = 1, .images = 1, .cells = 1, .channels = 64};
        heads.level[0] = {at(logits) + before_x, at(gradient) + before_gradient, 64, 64};
        DIOPTER_DISPATCH(device, classification_loss,
                         ClassificationLossArgs<float>{heads, at(labels), at(scale), at(losses)}, CeLoss{});
      });
      int wrong = 0;
      for (int i = 0; i < 4096; ++i) {
        const double exact = 2 * CeLoss{}(double{logits[before_x + i]}, false).derivative;
        wrong += !(std::fabs(gradient[before_gradient + i] - exact) <= 1e-5 * exact);
      }
      CHECK(wrong == 0);
      CHECK(std::count_if(gradient.begin(), gradient.end(), [](float g) { return std::isnan(g); }) == 2);
    }
  }
}

TEST_CASE("classification loss: a NaN among background shows in its image's loss and in its own gradient") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(2, 1, 64, {300});
  head.fill(std::vector<float>(2 * 300 * 64, -3));
  head.value(1, 17, 5) = NAN;
  const std::vector<float> losses =
      losses_of(device, head, std::vector<std::int32_t>(600, kBackground), CeLoss{}, {1, 1});
  CHECK(std::isfinite(losses[0]));
  CHECK(std::isnan(losses[1]));
  const std::vector<float> gradients = head.all_gradients();
  CHECK(std::count_if(gradients.begin(), gradients.end(), [](float g) { return std::isnan(g); }) == 1);
  CHECK(std::isnan(head.gradient(1, 17, 5)));
}

// docs/kernels/focal_loss.md states what gpu_losses_test.cpp holds. Here are twice the errors for the preset ptx, which
// can move reciprocals by two units in the last place, where a GPU is off by one.
TEST_CASE("classification loss: gradients of every logit that bf16 can hold") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const AnyLoss& loss : {AnyLoss(loss_named("focal", {0, 0.25f})), AnyLoss(loss_named("focal", {1, 0.25f})),
                              AnyLoss(loss_named("focal")), AnyLoss(CeLoss{})}) {
    INFO(test::described(loss) << " on " << test::device_name(device));
    Head<float> head(1, 1, 64, {1024});
    for (int i = 0; i < 65536; ++i) {
      bf16 logit;
      logit.bits = static_cast<std::uint16_t>(i);
      head.value(0, i / 64, i % 64) = float(logit);
    }
    losses_of(device, head, std::vector<std::int32_t>(1024, kBackground), loss, {1});
    double narrow = 0, wide = 0;  // logits from -8 to 4, and to 30 of either sign
    for (int i = 0; i < 65536; ++i) {
      const double x = head.value(0, i / 64, i % 64);
      if (!(std::fabs(x) <= 30)) continue;
      const double exact = loss_at(loss, x, false).derivative;
      double& largest = x >= -8 && x <= 4 ? narrow : wide;
      largest = std::fmax(largest, std::fabs(head.gradient(0, i / 64, i % 64) - exact) / exact);
    }
    CHECK(narrow < 8e-6);
    CHECK(wide < 1.4e-5);
  }
}

TEST_CASE("classification loss: every loss of the list") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const AnyLoss& loss : all_losses()) {
    INFO(loss_name(loss) << " on " << test::device_name(device));
    // With reciprocals two units off, as above, the fourth power of p - shift near 0 (asymmetric) is 1.04e-5 off.
    require_plain_sum<float>(device, {2, 9, 20, {37, 12, 4, 1}, 0}, loss, device == Device::cpu ? 1e-5 : 2e-5);
    require_plain_sum<bf16>(device, {2, 3, 20, {37, 12}, 4}, loss, 0.00391);
  }
}

TEST_CASE("classification loss: soft targets, of every loss that has them and of none other") {
  const Device device = GENERATE(from_range(test::devices()));
  const Case c{2, 3, 20, {37, 12}, 4};
  const std::vector<std::int32_t> labels = some_labels(anchors_of(c), c.classes, 5);
  std::vector<float> qualities = test::uniform(labels.size(), 0, 1, 9);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) qualities[i] = NAN;  // is not read
  }
  const std::vector<float> scale{0.5f, 2};
  for (const AnyLoss& loss : all_losses()) {
    INFO(loss_name(loss) << " on " << test::device_name(device));
    Head<float> head(c.images, c.cells, c.classes, c.pixels, c.padding), hard = head;
    const std::vector<float> values = test::uniform(anchors_of(c) * c.classes, -8, 4, 3);
    head.fill(values);
    hard.fill(values);
    const std::vector<float> found = losses_of(device, head, labels, loss, scale, 0, qualities);
    const std::vector<float> without = losses_of(device, hard, labels, loss, scale);
    if (!has_soft_targets(loss)) {
      CHECK(found == without);
      CHECK(head.all_gradients() == hard.all_gradients());
      continue;
    }
    CHECK(found != without);
    test::DeviceArrays host(Device::cpu);
    std::vector<double> expected, gradients;
    plain::classification_loss<float>(
        {head.levels(host, false), host(labels), host(scale), nullptr, host(std::as_const(qualities))}, loss, expected,
        gradients);
    test::require_close(found, expected, test::Tolerance::elementwise);
    for (std::int64_t i = 0; i < std::ssize(gradients); ++i) {
      const std::int64_t anchor = i / c.classes;
      const float gradient = head.gradient(static_cast<int>(anchor / head.anchors()), anchor % head.anchors(),
                                           static_cast<int>(i % c.classes));
      REQUIRE(std::fabs(gradient - gradients[i]) <= 2e-5 * std::fmax(1e-2, std::fabs(gradients[i])));
    }
  }
}

TEST_CASE("classification loss: class weights multiply positives, by their class, and nothing else") {
  const Device device = GENERATE(from_range(test::devices()));
  const Case c{2, 3, 20, {37, 12}, 4};
  const std::vector<std::int32_t> labels = some_labels(anchors_of(c), c.classes, 5);
  const std::vector<float> scale{0.5f, 2}, qualities = test::uniform(labels.size(), 0, 1, 9);
  std::vector<float> weights = test::uniform(c.classes, 0.1f, 4, 21), ones(c.classes, 1.0f);
  weights[3] = 0;
  for (const AnyLoss& loss : all_losses()) {
    INFO(loss_name(loss) << " on " << test::device_name(device));
    struct Run {
      Head<float> head;
      std::vector<float> losses{NAN, NAN}, values_only{NAN, NAN};
    };
    const auto run = [&](const std::vector<float>& by_class) {
      Run result{Head<float>(c.images, c.cells, c.classes, c.pixels, c.padding)};
      result.head.fill(test::uniform(anchors_of(c) * c.classes, -8, 4, 3));
      for (const bool with_gradient : {true, false}) {
        test::DeviceArrays at(device);
        DIOPTER_DISPATCH(device, classification_loss,
                         ClassificationLossArgs<float>{result.head.levels(at, with_gradient), at(labels), at(scale),
                                                       at(with_gradient ? result.losses : result.values_only),
                                                       at(qualities), by_class.empty() ? nullptr : at(by_class)},
                         loss);
        at.download();
      }
      CHECK(result.losses == result.values_only);
      return result;
    };
    Run without = run({}), of_ones = run(ones), weighted = run(weights);
    CHECK(of_ones.losses == without.losses);
    CHECK(of_ones.head.all_gradients() == without.head.all_gradients());

    Head<float> head = weighted.head;
    test::DeviceArrays host(Device::cpu);
    std::vector<double> expected, gradients;
    plain::classification_loss<float>(
        {head.levels(host, false), host(labels), host(scale), nullptr, host(qualities), host(std::as_const(weights))},
        loss, expected, gradients);
    test::require_close(weighted.losses, expected, test::Tolerance::elementwise);
    std::int64_t weighed = 0;
    for (std::int64_t i = 0; i < std::ssize(gradients); ++i) {
      const std::int64_t anchor = i / c.classes;
      const int image = static_cast<int>(anchor / head.anchors()), k = static_cast<int>(i % c.classes);
      const float gradient = head.gradient(image, anchor % head.anchors(), k);
      const float before = without.head.gradient(image, anchor % head.anchors(), k);
      REQUIRE(std::fabs(gradient - gradients[i]) <= 2e-5 * std::fmax(1e-2, std::fabs(gradients[i])));
      const bool positive = labels[anchor] == k;
      weighed += positive;
      REQUIRE(gradient == Approx(positive ? weights[k] * before : before).epsilon(1e-6).margin(1e-30));
    }
    CHECK(weighed > 20);
  }
}

// The kernels run fast versions of losses; the plain loop runs the losses themselves. An exponent of 10 takes tenfold
// what a GPU's special functions are off by.
TEST_CASE("classification loss: every loss, every combination of its parameters") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const AnyLoss& loss : test::combinations()) {
    INFO(test::described(loss) << " on " << test::device_name(device));
    require_plain_sum<float>(device, {1, 2, 20, {9, 2}, 0}, loss, 5e-5, 0, 0.01, test::Tolerance::sum);
    require_plain_sum<bf16>(device, {1, 2, 20, {9, 2}, 0}, loss, 0.004, 0, 0.01, test::Tolerance::sum);
  }
}

TEST_CASE("classification loss: all anchors ignored") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(2, 3, 4, {10, 5});  // logits are NaN
  const std::vector<std::int32_t> labels(2 * 45, kIgnore);
  CHECK(losses_of(device, head, labels, loss_named("focal"), {1, INFINITY}) == std::vector<float>{0, 0});
  CHECK(head.all_gradients() == std::vector<float>(2 * 45 * 4, 0.0f));
}

TEST_CASE("classification loss: a small gradient times a large scale survives bf16") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<bf16> head(1, 1, 1, {1});
  head.value(0, 0, 0) = bf16(-30.0f);
  losses_of(device, head, {kBackground}, loss_named("focal"), {65536});
  CHECK(head.gradient(0, 0, 0) == Approx(65536 * loss_at(loss_named("focal"), -30, false).derivative).epsilon(0.004));
}

TEST_CASE("classification loss: initial loss of 2,016 anchors and 80 classes") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 9, 80, {168, 56});
  head.fill(std::vector<float>(2016 * 80, -4.59511985f));
  std::vector<std::int32_t> labels(2016, kBackground);
  CHECK(losses_of(device, head, labels, loss_named("focal"), {})[0] == Approx(0.12157).epsilon(1e-4));
  labels[100] = 3;
  CHECK(losses_of(device, head, labels, loss_named("focal"), {})[0] == Approx(0.12157 + 1.128382).epsilon(1e-4));
}

TEST_CASE("classification loss: same bits for any number of threads and every time") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(3, 9, 5, {500, 125, 30});
  head.fill(test::uniform(3 * 655 * 9 * 5, -8, 4, 2));
  const std::vector<std::int32_t> labels = some_labels(3 * 655 * 9, 5, 1);
  const std::vector<float> scale = {1, 0.5f, 2};
  const std::vector<float> first_losses = losses_of(device, head, labels, loss_named("focal"), scale);
  const std::vector<float> first_gradients = head.all_gradients();
  test::with_thread_counts([&] {
    REQUIRE(losses_of(device, head, labels, loss_named("focal"), scale) == first_losses);
    REQUIRE(head.all_gradients() == first_gradients);
  });
}

TEST_CASE("classification loss: a label beyond the classes is an error") {
  Head<float> head(1, 1, 3, {2});
  head.fill(std::vector<float>(6, 0.0f));
  CHECK_THROWS_AS(losses_of(Device::cpu, head, {kBackground, 3}, loss_named("focal"), {}), Error);
}

}  // namespace
}  // namespace diopter
