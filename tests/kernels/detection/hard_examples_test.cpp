#include "kernels/detection/hard_examples.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/ohem.h"
#include "kernels/detection/losses/ohem13.h"
#include "kernels/plain/hard_examples.h"
#include "tests/kernels/detection/loss_variations.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using test::Head;
using Labels = std::vector<std::int32_t>;

// ---- Scores

template <class T>
std::vector<float> scores_of(Device device, Head<T>& head, const Labels& labels, const AnyLoss& loss,
                             std::size_t shift = 0, const std::vector<float>& class_weights = {}) {
  std::vector<float> scores(static_cast<std::size_t>(head.images() * head.anchors()), 77);
  test::on(
      device,
      [&](auto& at) {
        DIOPTER_DISPATCH(device, anchor_scores,
                         AnchorScoreArgs<T>{head.levels(at, false), at(labels), at(scores),
                                            class_weights.empty() ? nullptr : at(class_weights)},
                         loss);
      },
      shift);
  return scores;
}

template <class T>
void require_plain_scores(Device device, int images, int cells, int classes, const std::vector<std::int64_t>& pixels,
                          int padding, const AnyLoss& loss, std::size_t shift = 0,
                          const std::vector<float>& class_weights = {}) {
  Head<T> head(images, cells, classes, pixels, padding);
  const std::int64_t anchors = head.anchors();
  head.fill(test::uniform(static_cast<std::size_t>(images * anchors * classes), -8, 4, 3));
  Labels labels(static_cast<std::size_t>(images * anchors));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i * 7 % (classes + 2)) - 2;
  const std::vector<float> scores = scores_of(device, head, labels, loss, shift, class_weights);
  std::vector<float> expected(scores.size());
  test::DeviceArrays host(Device::cpu);
  plain::anchor_scores<T>(
      {head.levels(host, false), host(labels), expected.data(), class_weights.empty() ? nullptr : host(class_weights)},
      loss);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    INFO("score " << i << " of " << scores.size());
    if (std::isinf(expected[i])) {
      REQUIRE(scores[i] == expected[i]);
    } else {
      REQUIRE(std::fabs(scores[i] - expected[i]) <= 2e-5);  // of the loss, relative
    }
  }
}

TEST_CASE("hard examples: a positive's share of the score has the weight of its class") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int classes : {1, 3, 40}) {
    INFO(classes << " classes on " << test::device_name(device));
    require_plain_scores<float>(device, 2, 3, classes, {37, 5}, 0, CeLoss{}, 0, test::uniform(classes, 0.1f, 9, 4));
  }
}

TEST_CASE("hard examples: scores are logarithms of plain sums in double") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int classes : {1, 2, 3, 31, 32, 33, 80, 257}) {
    INFO(classes << " classes on " << test::device_name(device));
    require_plain_scores<float>(device, 2, 3, classes, {37, 0, 4, 1}, 0, CeLoss{});
    require_plain_scores<bf16>(device, 2, 3, classes, {12, 5}, 5, CeLoss{});
  }
  for (const int pixels : {0, 1, 31, 32, 33, 255, 256, 257, 3000}) {
    require_plain_scores<float>(device, 1, 1, 5, {pixels}, 3, OhemLoss{}, 1);
  }
  require_plain_scores<float>(device, 0, 3, 5, {4}, 0, CeLoss{});
  require_plain_scores<float>(device, 2, 3, 5, {}, 0, CeLoss{});
  for (const AnyLoss& loss : all_losses()) {
    INFO(loss_name(loss));
    require_plain_scores<float>(device, 2, 3, 7, {20, 5}, 0, loss);
  }
}

// The kernels run fast versions of losses; the plain loop runs the losses themselves.
TEST_CASE("hard examples: scores by every loss, every combination of its parameters") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const AnyLoss& loss : test::combinations()) {
    INFO(test::described(loss) << " on " << test::device_name(device));
    require_plain_scores<float>(device, 1, 2, 20, {9, 2}, 0, loss);
    require_plain_scores<bf16>(device, 1, 2, 20, {9, 2}, 0, loss);
  }
}

TEST_CASE("hard examples: a NaN scores highest, so that it is selected and noticed") {
  const Device device = GENERATE(from_range(test::devices()));
  Head<float> head(1, 1, 3, {2});
  head.fill({0, NAN, 0, 1, 2, 3});
  CHECK(scores_of(device, head, {kBackground, 0}, CeLoss{})[0] == INFINITY);
  CHECK(scores_of(device, head, {kIgnore, 0}, CeLoss{})[0] == -INFINITY);
}

// ---- Selection

struct Selection {
  Labels labels, selected, positives;
  bool operator==(const Selection&) const = default;
};

/// What top_k, decode_candidates and batched_nms leave behind: per image and level the anchors of the candidates, and
/// the survivors as places among the image's candidates.
struct Survivors {
  int images;
  AnchorGrid grid;
  int k, max_kept;
  Labels indices, counts, keep, kept, labels;
};

/// What run(args) selects, its arrays placed by `at`.
template <class Run>
Selection selection(test::DeviceArrays& at, const Survivors& s, const HardExampleRule& rule, const Run& run) {
  Selection result{Labels(s.labels.size(), -77), Labels(static_cast<std::size_t>(s.images), -77), {}};
  result.positives = result.selected;
  run(HardExampleArgs{.grid = s.grid,
                      .images = s.images,
                      .rule = rule,
                      .labels = at(s.labels),
                      .k = s.k,
                      .indices = at(s.indices),
                      .counts = at(s.counts),
                      .max_kept = s.max_kept,
                      .keep = at(s.keep),
                      .kept = at(s.kept),
                      .selected_labels = at(result.labels),
                      .selected = at(result.selected),
                      .positives = at(result.positives)});
  at.download();
  return result;
}

Selection select(Device device, const Survivors& s, const HardExampleRule& rule) {
  test::DeviceArrays at(device);
  return selection(at, s, rule,
                   [&](const HardExampleArgs& args) { DIOPTER_DISPATCH(device, select_hard_examples, args); });
}

Selection select_plainly(const Survivors& s, const HardExampleRule& rule) {
  test::DeviceArrays at(Device::cpu);
  return selection(at, s, rule, plain::select_hard_examples);
}

/// A level of `h` x 4 pixels and one of a quarter of that, one anchor each.
AnchorGrid two_levels(int h) {
  AnchorGrid grid;
  grid.levels = 2;
  grid.cells = 1;
  grid.level[0] = {.h = h, .w = 4, .stride_x = 1, .stride_y = 1, .cell = {}};
  grid.level[1] = {.h = h, .w = 1, .stride_x = 1, .stride_y = 1, .cell = {}};
  return grid;
}

// Level 0 has 8 anchors, level 1 has 2, which are 8 and 9 of the image.
TEST_CASE("hard examples: selection by hand") {
  const Device device = GENERATE(from_range(test::devices()));
  const int bg = kBackground, ig = kIgnore;
  Survivors s{.images = 1,
              .grid = two_levels(2),
              .k = 4,
              .max_kept = 6,
              .indices = {5, 2, 7, -99, 1, 0, -99, -99},  // candidates: anchors 5, 2, 7 of level 0; 9, 8 of level 1
              .counts = {3, 2},
              .keep = {3, 0, 4, 2, -99, -99},  // in order of their losses: anchors 9, 5, 8, 7
              .kept = {4},
              .labels = {bg, bg, bg, bg, bg, 1, bg, bg, bg, 0}};  // 9 and 5 are positive
  const HardExampleRule all{.batch = 4, .nms_iou = 0.5f, .candidates = 4};
  CHECK(select(device, s, all) == Selection{{ig, ig, ig, ig, ig, 1, ig, bg, bg, 0}, {4}, {2}});
  HardExampleRule rule = all;
  rule.negatives_per_positive = 3;
  rule.batch = 4;  // one positive, the first; both negatives there are
  CHECK(select(device, s, rule) == Selection{{ig, ig, ig, ig, ig, ig, ig, bg, bg, 0}, {3}, {1}});
  rule.negatives_per_positive = 1;  // two of each
  CHECK(select(device, s, rule) == Selection{{ig, ig, ig, ig, ig, 1, ig, bg, bg, 0}, {4}, {2}});
  rule.batch = 2;
  CHECK(select(device, s, rule) == Selection{{ig, ig, ig, ig, ig, ig, ig, ig, bg, 0}, {2}, {1}});
  s.labels = Labels(10, bg);
  CHECK(select(device, s, rule) ==
        Selection{{ig, ig, ig, ig, ig, ig, ig, ig, ig, bg}, {1}, {0}});  // as for one positive
  s.kept = {0};
  CHECK(select(device, s, rule) == Selection{Labels(10, ig), {0}, {0}});
}

/// Random survivors: `kept` of all anchors of each image.
Survivors random_survivors(int images, int h, int kept, std::uint64_t seed) {
  Survivors s{.images = images,
              .grid = two_levels(h),
              .k = 4 * h,
              .max_kept = std::max(kept, 1),
              .indices = {},
              .counts = {},
              .keep = {},
              .kept = Labels(static_cast<std::size_t>(images), kept),
              .labels = {}};
  Philox random(seed, 0);
  const auto shuffled = [&](int n) {
    Labels v(static_cast<std::size_t>(n));
    std::iota(v.begin(), v.end(), 0);
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[random.below(static_cast<std::uint32_t>(i))]);
    return v;
  };
  for (int image = 0; image < images; ++image) {
    for (const int anchors : {4 * h, h}) {
      Labels indices = shuffled(anchors);
      indices.resize(static_cast<std::size_t>(s.k), -99);
      s.indices.insert(s.indices.end(), indices.begin(), indices.end());
      s.counts.push_back(anchors);
    }
    Labels keep = shuffled(5 * h);
    keep.resize(static_cast<std::size_t>(s.max_kept), -99);
    s.keep.insert(s.keep.end(), keep.begin(), keep.end());
    for (int a = 0; a < 5 * h; ++a) {
      s.labels.push_back(random.below(4) == 0 ? static_cast<std::int32_t>(random.below(9)) : kBackground);
    }
  }
  return s;
}

TEST_CASE("hard examples: the selection of any number of survivors") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const int kept : {0, 1, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 3000}) {
    const Survivors s = random_survivors(2, 600, kept, static_cast<std::uint64_t>(kept) + 1);
    INFO(kept << " survivors on " << test::device_name(device));
    CHECK(select(device, s, {.batch = std::max(kept, 1), .nms_iou = 0, .candidates = 0}) ==
          select_plainly(s, {.batch = std::max(kept, 1), .nms_iou = 0, .candidates = 0}));
    for (const int batch : {1, 4, 100, 1000, 5000}) {
      for (const int ratio : {1, 3}) {
        if (ratio == 1 && batch != 100) continue;
        const HardExampleRule rule{.batch = batch, .nms_iou = 0, .candidates = 0, .negatives_per_positive = ratio};
        CHECK(select(device, s, rule) == select_plainly(s, rule));
      }
    }
  }
  const Survivors none = random_survivors(0, 3, 0, 1);
  CHECK(select(device, none, {.batch = 3, .nms_iou = 0, .candidates = 0}) == Selection{});
}

TEST_CASE("hard examples: the rules of the losses") {
  const HardExampleRule all = OhemLoss{64, 0.7f, 300}.hard_examples();
  CHECK(all.batch == 64);
  CHECK(all.nms_iou == 0.7f);
  CHECK(all.candidates == 300);
  CHECK(all.negatives_per_positive == 0);
  CHECK(Ohem13Loss{}.hard_examples().batch == 128);
  CHECK(Ohem13Loss{}.hard_examples().negatives_per_positive == 3);
  CHECK_FALSE(hard_example_rule(CeLoss{}));
  CHECK(hard_example_rule(Ohem13Loss{})->negatives_per_positive == 3);
}

TEST_CASE("hard examples: as many survivors are asked for as the rule can use") {
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0}, 1000) == 128);
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0}, 100) == 100);
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0, .negatives_per_positive = 3}, 1000) == 1000);
}

}  // namespace
}  // namespace diopter
