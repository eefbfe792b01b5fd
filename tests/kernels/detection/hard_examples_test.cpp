#include "kernels/detection/hard_examples.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/detection/loss_list.h"
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
                             std::size_t shift = 0) {
  std::vector<float> scores(static_cast<std::size_t>(head.images() * head.anchors()), 77);
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, anchor_scores, AnchorScoreArgs<T>{head.levels(at, false), at(labels), at(scores)}, loss);
  }, shift);
  return scores;
}

/// The place in `scores` of an anchor counted within the image: levels come first there, then images.
std::vector<std::size_t> places(int images, int cells, const std::vector<std::int64_t>& pixels, int image) {
  std::vector<std::size_t> result;
  std::int64_t level_start = 0;
  for (const std::int64_t p : pixels) {
    for (std::int64_t a = 0; a < p * cells; ++a) {
      result.push_back(static_cast<std::size_t>(level_start + image * p * cells + a));
    }
    level_start += images * p * cells;
  }
  return result;
}

template <class T>
void require_plain_scores(Device device, int images, int cells, int classes, const std::vector<std::int64_t>& pixels,
                          int padding, const AnyLoss& loss, std::size_t shift = 0) {
  Head<T> head(images, cells, classes, pixels, padding);
  const std::int64_t anchors = head.anchors();
  head.fill(test::uniform(static_cast<std::size_t>(images * anchors * classes), -8, 4, 3));
  Labels labels(static_cast<std::size_t>(images * anchors));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i * 7 % (classes + 2)) - 2;
  const std::vector<float> scores = scores_of(device, head, labels, loss, shift);
  for (int image = 0; image < images; ++image) {
    const std::vector<std::size_t> place = places(images, cells, pixels, image);
    for (std::int64_t a = 0; a < anchors; ++a) {
      const std::int32_t label = labels[static_cast<std::size_t>(image * anchors + a)];
      double sum = 0;
      for (int k = 0; k < classes && label != kIgnore; ++k) {
        const double x = static_cast<double>(static_cast<float>(head.value(image, a, k)));
        sum += std::visit([&](const auto& l) { return l(x, k == label).value; }, loss);
      }
      INFO("image " << image << " anchor " << a << " label " << label);
      if (sum == 0) {
        REQUIRE(scores[place[a]] == -INFINITY);
      } else {
        REQUIRE(std::fabs(scores[place[a]] - std::log(sum)) <= 2e-5);  // of the loss, relative
      }
    }
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

/// What top_k, decode_candidates and batched_nms leave behind: per image and level the anchors of the candidates, and the
/// survivors as places among the image's candidates.
struct Survivors {
  int images;
  AnchorGrid grid;
  int k, max_kept;
  Labels indices, counts, keep, kept, labels;
};

Selection select(Device device, const Survivors& s, const HardExampleRule& rule) {
  Selection result{Labels(s.labels.size(), -77), Labels(static_cast<std::size_t>(s.images), -77), {}};
  result.positives = result.selected;
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, select_hard_examples,
                     HardExampleArgs{.grid = s.grid, .images = s.images, .rule = rule, .labels = at(s.labels), .k = s.k,
                                     .indices = at(s.indices), .counts = at(s.counts), .max_kept = s.max_kept,
                                     .keep = at(s.keep), .kept = at(s.kept), .selected_labels = at(result.labels),
                                     .selected = at(result.selected), .positives = at(result.positives)});
  });
  return result;
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
  Survivors s{.images = 1, .grid = two_levels(2), .k = 4, .max_kept = 6,
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
  CHECK(select(device, s, rule) == Selection{{ig, ig, ig, ig, ig, ig, ig, ig, ig, bg}, {1}, {0}});  // as for one positive
  s.kept = {0};
  CHECK(select(device, s, rule) == Selection{Labels(10, ig), {0}, {0}});
}

/// Random survivors: `kept` of all anchors of each image.
Survivors random_survivors(int images, int h, int kept, std::uint64_t seed) {
  Survivors s{.images = images, .grid = two_levels(h), .k = 4 * h, .max_kept = std::max(kept, 1), .indices = {},
              .counts = {}, .keep = {}, .kept = Labels(static_cast<std::size_t>(images), kept), .labels = {}};
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

/// The rule, word for word.
Selection select_plainly(const Survivors& s, const HardExampleRule& rule) {
  Selection result{Labels(s.labels.size(), kIgnore), {}, {}};
  const std::int64_t anchors = s.grid.size();
  for (int image = 0; image < s.images; ++image) {
    Labels row;  // anchors of the image's candidates
    for (int l = 0; l < 2; ++l) {
      for (int i = 0; i < s.counts[image * 2 + l]; ++i) {
        row.push_back(static_cast<std::int32_t>(s.grid.level_offset(l)) + s.indices[(image * 2 + l) * s.k + i]);
      }
    }
    Labels positive, negative;
    for (int i = 0; i < s.kept[image]; ++i) {
      const std::int32_t anchor = row[s.keep[image * s.max_kept + i]];
      (s.labels[image * anchors + anchor] >= 0 ? positive : negative).push_back(anchor);
    }
    const int r = rule.negatives_per_positive;
    if (r > 0) {
      positive.resize(std::min<std::size_t>(positive.size(), rule.batch / (1 + r)));
      negative.resize(std::min<std::size_t>(negative.size(), r * std::max<std::size_t>(positive.size(), 1)));
    }
    for (const Labels& part : {positive, negative}) {
      for (const std::int32_t anchor : part) result.labels[image * anchors + anchor] = s.labels[image * anchors + anchor];
    }
    result.selected.push_back(static_cast<std::int32_t>(positive.size() + negative.size()));
    result.positives.push_back(static_cast<std::int32_t>(positive.size()));
  }
  return result;
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
        const HardExampleRule rule{.batch = batch, .nms_iou = 0, .candidates = 0, .negatives_per_positive = ratio};
        CHECK(select(device, s, rule) == select_plainly(s, rule));
      }
    }
  }
  const Survivors none = random_survivors(0, 3, 0, 1);
  CHECK(select(device, none, {.batch = 3, .nms_iou = 0, .candidates = 0}) == Selection{});
}

TEST_CASE("hard examples: as many survivors are asked for as the rule can use") {
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0}, 1000) == 128);
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0}, 100) == 100);
  CHECK(hard_examples_kept({.batch = 128, .nms_iou = 0, .candidates = 0, .negatives_per_positive = 3}, 1000) == 1000);
}

}  // namespace
}  // namespace diopter
