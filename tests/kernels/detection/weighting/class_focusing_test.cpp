#include "kernels/detection/weighting/class_focusing.h"

#include <cmath>
#include <utility>

#include "kernels/detection/classification_loss.h"
#include "kernels/detection/losses/equalized_focal.h"
#include "kernels/plain/class_focusing.h"
#include "kernels/plain/classification_loss.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/device_buffer.h"
#include "tests/support/files.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

/// Two images, two levels with padding between pixels; every seventh anchor is positive, every eleventh ignored, with
/// logits that are no numbers.
template <class T = float>
struct Batch {
  int classes;
  test::Head<T> head;
  std::vector<std::int32_t> labels;
  std::vector<float> scale{0.5f, 2}, class_weights, more;

  explicit Batch(int of_classes, std::uint64_t seed = 1)
      : classes(of_classes),
        head(2, 3, of_classes, {500, 12}, 2),
        class_weights(test::uniform(of_classes, 0.5f, 2, seed + 1)),
        more(test::uniform(of_classes, 0, 8, seed + 2)) {
    head.fill(test::uniform(2 * head.anchors() * classes, -8, 4, seed));
    for (int i = 0; i < 2 * head.anchors(); ++i) {
      labels.push_back(i % 7 == 0 ? i % classes : i % 11 == 0 ? kIgnore : kBackground);
      if (labels.back() != kIgnore) continue;
      const int image = i / static_cast<int>(head.anchors());
      for (int k = 0; k < classes; ++k) head.value(image, i % head.anchors(), k) = T(NAN);
    }
  }
  ClassificationLossArgs<T> args(test::DeviceArrays& at, std::vector<float>& losses, bool gradients = true) {
    return {.logits = head.levels(at, gradients),
            .labels = at(std::as_const(labels)),
            .scale = at(std::as_const(scale)),
            .losses = at(losses),
            .class_weights = at(std::as_const(class_weights)),
            .class_focusing = at(std::as_const(more))};
  }
};

template <class T>
std::vector<float> gradients_of_classes(Device device, Batch<T>& batch) {
  std::vector<float> losses(2), sums(2 * batch.classes, NAN);
  test::on(device, [&](auto& at) {
    const ClassificationLossArgs<T> args = batch.args(at, losses);
    DIOPTER_DISPATCH(device, classification_loss, args, EqualizedFocalLoss{});
    DIOPTER_DISPATCH(device, class_gradients, ClassGradientsArgs<T>{args.logits, args.labels, at(sums)});
  });
  return sums;
}

template <class T>
void check_sums(Device device, int classes) {
  INFO(classes << " classes on " << test::device_name(device));
  Batch<T> batch(classes);
  const std::vector<float> found = gradients_of_classes(device, batch);
  std::vector<double> expected;
  test::DeviceArrays host(Device::cpu);
  plain::class_gradients<T>({batch.head.levels(host), host(std::as_const(batch.labels)), nullptr}, expected);
  test::require_close(found, expected, test::Tolerance::sum);
  for (const double sum : expected) REQUIRE(sum > 0);
  test::with_thread_counts([&] { CHECK(gradients_of_classes(device, batch) == found); });
}

}  // namespace

TEST_CASE("class gradients: the plain sums, of positives and of negatives, without padding") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int classes : {1, 3, 32, 33, 130}) {
    check_sums<float>(device, classes);
    check_sums<bf16>(device, classes);
  }
}

TEST_CASE("class focusing: none for classes in balance, all for those without positives") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<float> sums{2, 0, 3, 5, 1, 0, 4, 7, 3, 3, 4, 0};
  std::vector<float> more(6, NAN), expected(6);
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, class_focusing, ClassFocusingArgs{{8}, 6, at(sums), at(more)});
  });
  CHECK(more == std::vector<float>{4, 8, 0, 0, 6, 0});
  plain::class_focusing({{8}, 6, sums.data(), expected.data()});
  CHECK(more == expected);
}

TEST_CASE("equalized focal loss: the formula, and the focal loss for classes in balance") {
  const EqualizedFocalLoss loss{.gamma = 1.5f, .alpha = 0.25f, .scale = 4};
  for (const double x : {-30.0, -2.0, 0.0, 3.0, 20.0}) {
    for (const bool positive : {false, true}) {
      const double z = positive ? -x : x, wrong = 1 / (1 + std::exp(-z)), alpha = positive ? 0.25 : 0.75;  // 1 - p_t
      CHECK(loss.of_class(2.5f)(x, positive).value ==
            Approx(alpha * (1.5 + 2.5) / 1.5 * std::pow(wrong, 1.5 + 2.5) * std::log1p(std::exp(z)))
                .epsilon(1e-9)
                .margin(0));
      CHECK(loss(x, positive).value == FocalLoss{1.5f, 0.25f}(x, positive).value);
      const auto value = [&](double v) { return loss.of_class(2.5f)(v, positive).value; };
      CHECK(loss.of_class(2.5f)(x, positive).derivative ==
            Approx(test::derivative(value, x, 0.005)).epsilon(1e-8).margin(1e-11));
    }
  }
  CHECK(class_focusing_rule(loss)->most == 4);
  CHECK_FALSE(class_focusing_rule(FocalLoss{}));
  CHECK(remembers_steps(loss));
  CHECK_FALSE(remembers_steps(FocalLoss{}));
  CHECK(loss_at(loss_of_class(loss, 2.5f), 1.0, true).value == loss.of_class(2.5f)(1.0, true).value);
  CHECK(loss_at(loss_of_class(FocalLoss{}, 2.5f), 1.0, true).value == FocalLoss{}(1.0, true).value);
}

TEST_CASE("classification loss that focuses by class: the plain sum, class by class") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int classes : {1, 3, 130}) {
    INFO(classes << " classes on " << test::device_name(device));
    Batch<> batch(classes, 3);
    std::vector<float> losses(2, NAN), values_only(2, NAN);
    std::vector<double> expected, gradients;
    test::DeviceArrays host(Device::cpu);
    plain::classification_loss(batch.args(host, losses), EqualizedFocalLoss{}, expected, gradients);
    const auto run = [&](std::vector<float>& values, bool with_gradients) {
      test::on(device, [&](auto& at) {
        DIOPTER_DISPATCH(device, classification_loss, batch.args(at, values, with_gradients), EqualizedFocalLoss{});
      });
    };
    run(losses, true);
    test::require_close(losses, expected, test::Tolerance::sum);
    CHECK(batch.head.canaries() == batch.head.padding_values());
    std::size_t i = 0;
    std::vector<float> found(gradients.size());
    for (int image = 0; image < 2; ++image) {
      for (std::int64_t anchor = 0; anchor < batch.head.anchors(); ++anchor) {
        for (int k = 0; k < classes; ++k) found[i++] = batch.head.gradient(image, anchor, k);
      }
    }
    test::require_close(found, gradients, test::Tolerance::sum);  // powers in float
    run(values_only, false);
    CHECK(values_only == losses);
    test::with_thread_counts([&] {
      std::vector<float> again(2, NAN);
      run(again, true);
      CHECK(again == losses);
    });
  }
}

TEST_CASE("classification loss that focuses by class: a label that is no class") {
  Batch<> batch(3);
  batch.labels[5] = 3;
  std::vector<float> losses(2);
  CHECK(test::error_of([&] {
          test::on(Device::cpu,
                   [&](auto& at) { cpu::classification_loss(batch.args(at, losses), EqualizedFocalLoss{}); });
        }).find("label 3 of an anchor, with 3 classes") != std::string::npos);
}

// The published algorithm, step by step: the exponents of a step are from the gradients of those before.
TEST_CASE("equalized focal loss: ten steps are those of the algorithm as it is published") {
  const Device device = GENERATE(from_range(test::devices()));
  const EqualizedFocalLoss loss{};
  constexpr int kClasses = 5;
  std::vector<double> positives(kClasses), negatives(kClasses);
  std::vector<float> kept(2 * kClasses);
  for (int step = 0; step < 10; ++step) {
    INFO("step " << step << " on " << test::device_name(device));
    Batch<> batch(kClasses, 100 + step);
    for (std::int32_t& label : batch.labels) {
      if (label == 4 || (label == 3 && step < 5)) label = kBackground;  // never there; there late
    }
    std::vector<double> expected(2), of_positives(kClasses), of_negatives(kClasses);
    for (int image = 0; image < 2; ++image) {
      for (std::int64_t anchor = 0; anchor < batch.head.anchors(); ++anchor) {
        const std::int32_t label = batch.labels[image * batch.head.anchors() + anchor];
        for (int k = 0; k < kClasses && label != kIgnore; ++k) {
          const double ratio = negatives[k] > 0 ? std::min(1.0, positives[k] / negatives[k]) : 1;
          const double gamma = 2 + 8 * (1 - ratio), x = batch.head.value(image, anchor, k);
          const double p_t = 1 / (1 + std::exp(k == label ? -x : x)), alpha = k == label ? 0.25 : 0.75;
          const double weight = k == label ? batch.class_weights[k] : 1;
          expected[image] -= weight * alpha * gamma / 2 * std::pow(1 - p_t, gamma) * std::log(p_t);
          const double gradient = weight * batch.scale[image] * alpha * gamma / 2 * std::pow(1 - p_t, gamma) *
                                  ((1 - p_t) - gamma * p_t * std::log(p_t));
          (k == label ? of_positives : of_negatives)[k] += gradient;
        }
      }
    }
    for (int k = 0; k < kClasses; ++k) positives[k] += of_positives[k], negatives[k] += of_negatives[k];

    std::vector<float> losses(2, NAN), sums(2 * kClasses, NAN);
    test::on(device, [&](auto& at) {
      DIOPTER_DISPATCH(device, class_focusing,
                       ClassFocusingArgs{loss.class_focusing(), kClasses, at(std::as_const(kept)), at(batch.more)});
      ClassificationLossArgs<float> args = batch.args(at, losses);
      DIOPTER_DISPATCH(device, classification_loss, args, loss);
      DIOPTER_DISPATCH(device, class_gradients, ClassGradientsArgs<float>{args.logits, args.labels, at(sums)});
    });
    test::require_close(losses, expected, 1e-4);
    for (int i = 0; i < 2 * kClasses; ++i) kept[i] += sums[i];
    for (int k = 0; k < kClasses; ++k) {
      CHECK(kept[k] == Approx(positives[k]).epsilon(1e-4));
      CHECK(kept[kClasses + k] == Approx(negatives[k]).epsilon(1e-4));
    }
    if (step > 0) {
      CHECK(batch.more[4] == 8);
      CHECK(batch.more[0] < 8);
    }
  }
}

}  // namespace diopter
