#include "kernels/detection/weighting/gradient_density.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/detection/classification_loss.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/ghm.h"
#include "kernels/plain/gradient_density.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/device_buffer.h"
#include "tests/support/files.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

template <class T = float>
struct Logits {
  test::Head<T> head{2, 3, 4, {37, 12}, 2};
  std::vector<std::int32_t> labels;

  explicit Logits(std::uint64_t seed, float spread = 8) {
    head.fill(test::uniform(2 * 147 * 4, -spread, spread / 2, seed));
    for (int i = 0; i < 2 * 147; ++i) labels.push_back(i % 7 == 0 ? i % 4 : i % 11 == 0 ? kIgnore : kBackground);
  }
};

template <class T>
std::vector<std::int32_t> counts_of(Device device, test::Head<T>& head, std::vector<std::int32_t>& labels,
                                    const GhmLoss& loss) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(loss.bins), -1);
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, gradient_histogram,
                     GradientHistogramArgs<T>{head.levels(at, false), at(labels), at(counts)}, loss);
  });
  return counts;
}

template <class T>
std::vector<std::int32_t> plain_counts_of(test::Head<T>& head, const std::vector<std::int32_t>& labels,
                                          const GhmLoss& loss) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(loss.bins));
  test::DeviceArrays host(Device::cpu);
  plain::gradient_histogram<T>({head.levels(host, false), host(labels), counts.data()}, loss);
  return counts;
}

/// By how much all bins together differ: g is rounded to float, so that some move between neighbours.
int moved(const std::vector<std::int32_t>& found, const std::vector<std::int32_t>& expected) {
  int sum = 0;
  for (std::size_t b = 0; b < found.size(); ++b) sum += std::abs(found[b] - expected[b]);
  return sum;
}

}  // namespace

TEST_CASE("gradient histogram: the plain count, of every logit that is learned from") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const float bins : {1.0f, 2.0f, 30.0f, 256.0f}) {
    INFO(bins << " bins on " << test::device_name(device));
    const GhmLoss loss{.bins = bins};
    Logits<> logits(3);
    const std::vector<std::int32_t> found = counts_of(device, logits.head, logits.labels, loss);
    const auto learned = std::ssize(logits.labels) - std::count(logits.labels.begin(), logits.labels.end(), kIgnore);
    CHECK(std::accumulate(found.begin(), found.end(), 0) == 4 * learned);
    CHECK(moved(found, plain_counts_of(logits.head, logits.labels, loss)) <= 2);
    test::with_thread_counts([&] { CHECK(counts_of(device, logits.head, logits.labels, loss) == found); });
  }
  CHECK(test::error_of([&] {
          Logits<> logits(3);
          std::vector<std::int32_t> counts(30);
          test::on(device, [&](auto& at) {
            DIOPTER_DISPATCH(device, gradient_histogram,
                             GradientHistogramArgs<float>{logits.head.levels(at, false), at(logits.labels), at(counts)},
                             CeLoss{});
          });
        }) == "the loss ce does not weigh by the density of gradients");
}

TEST_CASE("gradient histogram: as many classes as a block of logits has, fewer and more, whichever is positive") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int classes : {127, 128, 129, 300}) {
    INFO(classes << " classes on " << test::device_name(device));
    test::Head<float> head(1, 1, classes, {5});
    head.fill(test::uniform(5 * classes, -8, 4, 3));
    std::vector<std::int32_t> labels{0, classes - 1, kIgnore, kBackground, 126};
    const std::vector<std::int32_t> found = counts_of(device, head, labels, GhmLoss{});
    CHECK(std::accumulate(found.begin(), found.end(), 0) == 4 * classes);
    CHECK(found == plain_counts_of(head, labels, GhmLoss{}));
  }
}

// A block of the GPU's kernel takes 8,192 logits.
TEST_CASE("gradient histogram: levels that several blocks share") {
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  constexpr int kImages = 2, kCells = 3, kClasses = 20, kPixels[] = {300, 150}, kAnchors = kCells * (300 + 150);
  test::Head<float> head(kImages, kCells, kClasses, {kPixels[0], kPixels[1]});
  head.fill(test::uniform(kImages * kAnchors * kClasses, -8, 4, 5));
  std::vector<std::int32_t> labels;
  for (int i = 0; i < kImages * kAnchors; ++i) labels.push_back(i % 5 == 0 ? i % kClasses : kBackground);
  const std::vector<std::int32_t> found = counts_of(device, head, labels, GhmLoss{});
  CHECK(std::accumulate(found.begin(), found.end(), 0) == kImages * kAnchors * kClasses);
  CHECK(moved(found, plain_counts_of(head, labels, GhmLoss{})) <= 8);
}

TEST_CASE("gradient histogram: g of 1 and NaN are in the last bin, and a NaN shows in the loss") {
  CHECK(density_bin(1.0, 30) == 29);
  CHECK(density_bin(-1.0f, 30) == 29);
  CHECK(density_bin(0.0, 30) == 0);
  CHECK(density_bin(0.99999, 1) == 0);
  CHECK(density_bin(-0.5, 2) == 1);
  CHECK(density_bin(std::nan(""), 30) == 29);
  const std::vector<float> weights{2, 3};
  const DensityWeighted<CeLoss> weighted{{}, 2, weights.data()};
  CHECK(std::isnan(weighted(std::nan(""), false).value));
  CHECK(weighted(-2.0, false).value == Approx(2 * CeLoss{}(-2.0, false).value));
  CHECK(weighted(-2.0, true).derivative == Approx(3 * CeLoss{}(-2.0, true).derivative));
}

// The published algorithm, step by step: bins of g, moving averages of their counts, total / average / bins that are
// not empty as the weight, the weighted sum divided by the total.
TEST_CASE("GHM-C: twenty steps with momentum are those of the algorithm as it is published") {
  const Device device = GENERATE(from_range(test::devices()));
  const GhmLoss ghm{};
  std::vector<double> averages(30, 0.0);
  std::vector<float> kept(30, 0.0f);
  for (int step = 0; step < 20; ++step) {
    Logits<> logits(100 + step, step % 3 == 0 ? 3.0f : 8.0f);  // every third leaves bins empty
    std::vector<double> total_of_bin(30), losses(2), weight(30);
    double total = 0, found = 0;
    const auto for_each_logit = [&](const auto& visit) {
      for (int image = 0; image < 2; ++image) {
        for (int anchor = 0; anchor < 147; ++anchor) {
          const std::int32_t label = logits.labels[image * 147 + anchor];
          for (int k = 0; k < 4 && label != kIgnore; ++k) {
            const double x = logits.head.value(image, anchor, k), target = k == label, p = 1 / (1 + std::exp(-x));
            visit(image, std::min(29, static_cast<int>(std::fabs(p - target) * 30)),
                  -target * std::log(p) - (1 - target) * std::log(1 - p), p - target, anchor, k);
          }
        }
      }
    };
    for_each_logit([&](int, int bin, double, double, int, int) { ++total_of_bin[bin], ++total; });
    for (int b = 0; b < 30; ++b) {
      if (total_of_bin[b] == 0) continue;
      averages[b] = 0.75 * averages[b] + 0.25 * total_of_bin[b];
      weight[b] = total / averages[b];
      ++found;
    }
    CHECK((step % 3 != 0 || found < 30));
    for_each_logit([&](int image, int bin, double value, double, int, int) {
      losses[image] += weight[bin] / found * value / total;
    });

    const std::vector<std::int32_t> counts = counts_of(device, logits.head, logits.labels, ghm);
    std::vector<float> weights(30, NAN), values(2, NAN);
    const std::vector<float> ones(2, 1.0f);
    test::DeviceArrays at(device);
    DIOPTER_DISPATCH(device, density_weights,
                     DensityWeightsArgs{ghm.gradient_density(), at(counts), at(kept), at(weights)});
    DIOPTER_DISPATCH(device, classification_loss,
                     ClassificationLossArgs<float>{.logits = logits.head.levels(at, true),
                                                   .labels = at(std::as_const(logits.labels)),
                                                   .scale = at(ones),
                                                   .losses = at(values),
                                                   .density_weights = at(weights)},
                     ghm);
    at.download();
    INFO("step " << step << " on " << test::device_name(device));
    for (int b = 0; b < 30; ++b) CHECK(kept[b] == Approx(averages[b]).epsilon(0.02).margin(0.6));
    test::require_close(values, losses, 0.02);
    double wrong = 0;
    for_each_logit([&](int image, int bin, double, double derivative, int anchor, int k) {
      const double expected = weight[bin] / found * derivative / total;
      wrong += std::fabs(logits.head.gradient(image, anchor, k) - expected) > 0.02 * std::fabs(expected);
    });
    CHECK(wrong <= 4);  // next to the border of a bin
  }
}

TEST_CASE("GHM-C in bf16: counts and losses are those of the same logits in float") {
  const Device device = GENERATE(from_range(test::devices()));
  const GhmLoss ghm{};
  Logits<bf16> logits(7);
  Logits<float> same(7);
  std::vector<float> values;
  for (const float x : test::uniform(2 * 147 * 4, -8, 4, 7)) values.push_back(static_cast<float>(bf16(x)));
  same.head.fill(values);
  CHECK(counts_of(device, logits.head, logits.labels, ghm) == counts_of(device, same.head, same.labels, ghm));

  const std::vector<float> weights = test::uniform(30, 0.1f, 2, 8), scale{0.5f, 2};
  const auto losses_of = [&]<class T>(Logits<T>& of) {
    std::vector<float> losses(2, NAN);
    test::on(device, [&](auto& at) {
      DIOPTER_DISPATCH(device, classification_loss,
                       ClassificationLossArgs<T>{.logits = of.head.levels(at, true),
                                                 .labels = at(std::as_const(of.labels)),
                                                 .scale = at(scale),
                                                 .losses = at(losses),
                                                 .density_weights = at(weights)},
                       ghm);
    });
    return losses;
  };
  test::require_close(losses_of(logits), losses_of(same), 1e-5);
  for (int anchor = 0; anchor < 147; ++anchor) {
    for (int k = 0; k < 4; ++k) {
      const float expected = same.head.gradient(1, anchor, k);
      CHECK(logits.head.gradient(1, anchor, k) == Approx(expected).epsilon(1.0 / 128));
    }
  }
}

TEST_CASE("density weights: the plain formula, and bins without logits keep their average") {
  const Device device = GENERATE(from_range(test::devices()));
  const GradientDensityRule rule{4, 0.75f};
  const std::vector<std::int32_t> counts{8, 0, 1000000, 3};
  std::vector<float> averages{4, 7, 0, 3}, weights(4, NAN), expected_averages = averages, expected(4);
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, density_weights, DensityWeightsArgs{rule, at(counts), at(averages), at(weights)});
  });
  plain::density_weights({rule, counts.data(), expected_averages.data(), expected.data()});
  CHECK(averages == std::vector<float>{5, 7, 250000, 3});
  CHECK(averages == expected_averages);
  CHECK(weights == std::vector<float>{1 / 15.0f, 0, static_cast<float>(1 / 750000.0), 1 / 9.0f});
  for (int b = 0; b < 4; ++b) CHECK(weights[b] == Approx(expected[b]).epsilon(1e-7));
}

}  // namespace diopter
