#include "retinanet/detection/losses.h"

#include <algorithm>
#include <cmath>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/losses/focal.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/files.h"
#include "tests/support/gradcheck.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using namespace test;

constexpr int kClasses = 3;

/// Two images on a grid of two levels with three cells. The first has two boxes and an ignored region, the second one.
AnchorTargets some_targets(Device device) {
  const std::vector<float> boxes{2, 3, 17, 16, 20, 4, 29, 21, 16, 20, 30, 31, 8, 10, 24, 20};
  const std::vector<std::int32_t> labels{0, 2, kIgnore, 1}, offsets{0, 3, 4};
  return match_anchors(small_grid(2, 8, 8, 4), Tensor::from({4, 4}, boxes, device), Tensor::from({4}, labels, device),
                       Tensor::from({3}, offsets, device), {.low_quality = true});
}

Levels levels_of(const AnchorTargets& targets) {
  Levels levels;
  for (int l = 0; l < targets.grid.levels; ++l) {
    levels.level[levels.count++] = {targets.images(), targets.grid.level[l].h, targets.grid.level[l].w};
  }
  return levels;
}

/// A head's output with `channels` values per pixel.
Pyramid random_head(const AnchorTargets& targets, int channels, std::uint64_t seed, float low, float high,
                    bool requires_gradient = false) {
  const Levels levels = levels_of(targets);
  return {
      Variable(random_tensor({levels.rows(), channels}, seed, targets.boxes.device(), low, high), requires_gradient),
      levels};
}

/// Position in a head's matrix of the first value of an anchor, `values` values per anchor and `channels` per pixel.
std::size_t first_value(const AnchorTargets& targets, int image, std::int64_t anchor, int values, int channels) {
  const Levels levels = levels_of(targets);
  int l = 0;
  while (anchor >= targets.grid.level_offset(l + 1)) ++l;
  anchor -= targets.grid.level_offset(l);
  const std::int64_t pixels = std::int64_t{levels.level[l].h} * levels.level[l].w, cells = targets.grid.cells;
  return static_cast<std::size_t>((levels.offset(l) + image * pixels + anchor / cells) * channels +
                                  anchor % cells * values);
}

std::int64_t count(const AnchorTargets& targets, std::int32_t label) {
  const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
  return std::count(labels.begin(), labels.end(), label);
}

TEST_CASE("match_anchors: the targets hold positives of every class, background and ignored anchors") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    CHECK(targets.images() == 2);
    CHECK(targets.labels.shape() == Shape{2, targets.grid.size()});
    std::int64_t positives = 0;
    for (std::int32_t label = 0; label < kClasses; ++label) {
      CHECK(count(targets, label) >= 1);
      positives += count(targets, label);
    }
    CHECK(count(targets, kIgnore) >= 5);
    CHECK(count(targets, kBackground) >= 50);
    const std::vector<std::int32_t> counted = targets.positives.to_vector<std::int32_t>();
    CHECK(counted[0] + counted[1] == positives);
  }
}

TEST_CASE("classification_loss: the weighted sum of its definition") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Pyramid logits = random_head(targets, 3 * kClasses, 1, -4, 3);
    const std::vector<float> scale{0.5f, 2}, x = logits.rows.value().to_vector<float>();
    const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
    for (float gamma : {0.0f, 0.5f, 2.0f}) {
      const FocalLoss loss{.gamma = gamma};
      double expected = 0;
      for (int image = 0; image < 2; ++image) {
        for (std::int64_t a = 0; a < targets.grid.size(); ++a) {
          const std::int32_t label = labels[image * targets.grid.size() + a];
          const std::size_t first = first_value(targets, image, a, kClasses, 3 * kClasses);
          for (int k = 0; k < kClasses && label != kIgnore; ++k) {
            expected += scale[image] * loss(static_cast<double>(x[first + k]), label == k).value;
          }
        }
      }
      const Variable y = classification_loss(logits, kClasses, targets, Tensor::from({2}, scale, device), loss);
      CHECK(y.shape() == Shape{1});
      CHECK(y.value().item() == Approx(expected).epsilon(1e-6));
    }
  }
}

TEST_CASE("classification_loss: gradients") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Pyramid logits = random_head(targets, 3 * kClasses, 1, -4, 3);
    const Tensor scale = Tensor::from({2}, std::vector<float>{0.5f, 2}, device);
    for (float gamma : {0.0f, 0.5f, 2.0f}) {
      INFO("gamma " << gamma << " on " << device_name(device));
      check_gradients(
          [&](const std::vector<Variable>& v) {
            return classification_loss({v[0], logits.levels}, kClasses, targets, scale, FocalLoss{.gamma = gamma});
          },
          {logits.rows.value()});
    }
    const Tensor weights = Tensor::from({kClasses}, test::uniform(kClasses, 0.5f, 3, 8), device);
    check_gradients(
        [&](const std::vector<Variable>& v) {
          return classification_loss({v[0], logits.levels}, kClasses, targets, scale, FocalLoss{},
                                     {.class_weights = weights});
        },
        {logits.rows.value()});
  }
}

TEST_CASE("classification_loss: ignored anchors have no gradient, all others have one") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Pyramid logits = random_head(targets, 3 * kClasses, 1, -4, 3, true);
    Tape tape;
    tape.backward({classification_loss(logits, kClasses, targets, Tensor::full({2}, 1, device), FocalLoss{})});
    const std::vector<float> gradient = logits.rows.gradient()->tensor().to_vector<float>();
    const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
    bool as_expected = true;
    for (int image = 0; image < 2; ++image) {
      for (std::int64_t a = 0; a < targets.grid.size(); ++a) {
        const bool ignored = labels[image * targets.grid.size() + a] == kIgnore;
        for (int k = 0; k < kClasses; ++k) {
          const float g = gradient[first_value(targets, image, a, kClasses, 3 * kClasses) + k];
          as_expected = as_expected && (g == 0) == ignored;
        }
      }
    }
    CHECK(as_expected);
  }
}

TEST_CASE("box_loss: gradients of all kinds") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Tensor scale = Tensor::from({2}, std::vector<float>{0.5f, 0.25f}, device);
    const BoxCoder coder{.wx = 10, .wy = 10, .ww = 5, .wh = 5};
    for (BoxLoss kind : {BoxLoss::l1, BoxLoss::smooth_l1, BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou}) {
      INFO("kind " << static_cast<int>(kind) << " on " << device_name(device));
      const Pyramid deltas = random_head(targets, 3 * 4, 7, -1, 1);
      check_gradients(
          [&](const std::vector<Variable>& v) {
            return box_loss({v[0], deltas.levels}, targets, scale, {.kind = kind, .beta = 0.5f, .coder = coder});
          },
          {deltas.rows.value()});
    }
  }
}

TEST_CASE("box_loss: perfect deltas cost nothing, others what the definition says") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Levels levels = levels_of(targets);
    const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
    const std::vector<std::int32_t> matches = targets.matches.to_vector<std::int32_t>();
    const std::vector<float> boxes = targets.boxes.to_vector<float>();
    std::vector<float> perfect(static_cast<std::size_t>(levels.rows() * 12), 100.0f);  // only positives are read
    std::int64_t positives[2] = {0, 0};
    for (int image = 0; image < 2; ++image) {
      for (std::int64_t a = 0; a < targets.grid.size(); ++a) {
        const std::int64_t i = image * targets.grid.size() + a;
        if (labels[i] < 0) continue;
        ++positives[image];
        const int l = a >= targets.grid.level_offset(1);
        const Box anchor = targets.grid.box(l, a - targets.grid.level_offset(l));
        encode_box({}, anchor, box_at(boxes.data(), matches[i] + 3 * image),
                   perfect.data() + first_value(targets, image, a, 4, 12));
      }
    }
    std::vector<float> moved = perfect;
    for (float& v : moved) v += 0.25f;
    const auto loss = [&](const std::vector<float>& deltas, const BoxLossParams& params) {
      const Pyramid head{Variable(Tensor::from({levels.rows(), 12}, deltas, device)), levels};
      const Tensor scale = Tensor::from({2}, std::vector<float>{1, 10}, device);
      return box_loss(head, targets, scale, params).value().item();
    };
    for (BoxLoss kind : {BoxLoss::l1, BoxLoss::smooth_l1, BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou}) {
      CHECK(std::fabs(loss(perfect, {.kind = kind, .beta = 0.5f})) < 1e-4);
    }
    const double weighted = static_cast<double>(positives[0] + 10 * positives[1]);
    CHECK(loss(moved, {}) == Approx(4 * 0.25 * weighted));
    CHECK(loss(moved, {.kind = BoxLoss::smooth_l1, .beta = 0.5f}) == Approx(4 * 0.25 * 0.25 / (2 * 0.5) * weighted));
  }
}

TEST_CASE("Fused losses: a gradient that is not one scales theirs") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Tensor scale = Tensor::full({2}, 1, device);
    const Pyramid head = random_head(targets, 3 * 4, 1, -1, 1, true);
    using Loss = std::function<Variable()>;
    for (const Loss& loss : {Loss([&] { return box_loss(head, targets, scale, {}); }),
                             Loss([&] { return classification_loss(head, 4, targets, scale, FocalLoss{}); })}) {
      const auto gradient = [&](const auto& go_back) {
        head.rows.gradient()->clear();
        Tape tape;
        go_back(tape, loss());
        return head.rows.gradient()->tensor().to_vector<float>();
      };
      const std::vector<float> one = gradient([](Tape& tape, const Variable& y) { tape.backward({y}); });
      std::vector<float> three = one, four = one;
      for (float& g : three) g *= -3;
      for (float& g : four) g *= 4;
      require_close(gradient([&](Tape& tape, const Variable& y) { tape.backward(y, Tensor::full({1}, -3, device)); }),
                    three, Tolerance::elementwise);
      require_close(gradient([](Tape& tape, const Variable& y) {
                      tape.backward({add(add(y, y), y), y});
                    }),
                    four, Tolerance::elementwise);
    }
  }
}

TEST_CASE("Fused losses: the same value without a tape, where no gradient is computed") {
  const AnchorTargets targets = some_targets(Device::cpu);
  const Tensor scale = Tensor::full({2}, 1);
  const Pyramid head = random_head(targets, 3 * 4, 1, -1, 1, true);
  const auto peak = [&] {
    const std::size_t before = cpu::allocated_bytes();
    cpu::reset_peak_bytes();
    const float value = box_loss(head, targets, scale, {}).value().item() +
                        classification_loss(head, 4, targets, scale, FocalLoss{}).value().item();
    return std::make_pair(value, cpu::peak_bytes() - before);
  };
  const auto inference = peak();
  Tape tape;
  const auto training = peak();
  CHECK(inference.first == training.first);
  CHECK(inference.second < head.rows.value().bytes());
  CHECK(training.second >= head.rows.value().bytes());
}

TEST_CASE("Fused losses: padded channels of a head have gradient 0") {
  for (Device device : devices()) {
    const AnchorTargets targets = some_targets(device);
    const Tensor scale = Tensor::full({2}, 1, device);
    const Pyramid padded = random_head(targets, 16, 1, -1, 1, true);  // 3 cells with 4 values, and 4 more
    const auto padding_is_zero = [&](const auto& loss) {
      // Memory that was in use before does not happen to hold zeros.
      const std::vector<Tensor> garbage(3, Tensor::full(padded.rows.shape(), 7, device));
      padded.rows.gradient()->clear();
      Tape tape;
      tape.backward({loss()});
      const std::vector<float> gradient = padded.rows.gradient()->tensor().to_vector<float>();
      bool zero = true;
      for (std::size_t i = 0; i < gradient.size(); ++i) zero = zero && (i % 16 < 12 || gradient[i] == 0);
      return zero;
    };
    { const Tensor garbage = Tensor::full(padded.rows.shape(), 7, device); }
    CHECK(padding_is_zero([&] { return box_loss(padded, targets, scale, {}); }));
    { const Tensor garbage = Tensor::full(padded.rows.shape(), 7, device); }
    CHECK(padding_is_zero([&] { return classification_loss(padded, 4, targets, scale, FocalLoss{}); }));
  }
}

TEST_CASE("Fused losses: heads that do not belong to the targets are errors") {
  const AnchorTargets targets = some_targets(Device::cpu);
  const Tensor scale = Tensor::full({2}, 1);
  const Pyramid head = random_head(targets, 12, 1, -1, 1);
  CHECK(error_of([&] { classification_loss(head, 5, targets, scale, FocalLoss{}); }) ==
        "a head of [160, 12] does not fit 2 images of 240 anchors with 5 values each");
  Pyramid other = head;
  std::swap(other.levels.level[0], other.levels.level[1]);
  CHECK_THROWS_AS(box_loss(other, targets, scale, {}), Error);
  CHECK(error_of([&] { box_loss(head, targets, Tensor::full({1}, 1), {}); }) == "1 scales for 2 images");
}

}  // namespace
}  // namespace diopter
