#include <cmath>

#include "kernels/plain/anchors.h"
#include "kernels/plain/box_loss.h"
#include "kernels/plain/classification_loss.h"
#include "kernels/plain/match.h"
#include "retinanet/c_api/anchor_grid.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/names.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/support/random.h"

using namespace diopter;
using namespace diopter::test;

namespace {

constexpr std::int64_t kImages = 2;

/// Boxes of two images, the second with an ignored region, matched to the small grid.
struct Matched {
  SmallGrid small;
  HostArray boxes{{3, 4}, std::vector<float>{0, 0, 9, 7, 10, 0, 30, 16, 3, 2, 13, 12}};
  HostArray box_labels{{3}, std::vector<std::int32_t>{1, 0, 2}};
  HostArray offsets{{kImages + 1}, std::vector<std::int32_t>{0, 2, 3}};
  HostArray labels = filled<std::int32_t>({kImages, SmallGrid::kAnchors}, 99);
  HostArray matches = filled<std::int32_t>({kImages, SmallGrid::kAnchors}, 99);
  HostArray positives = filled<std::int32_t>({kImages}, 99);
  diopter_match_rule rule{sizeof(diopter_match_rule), 0.4f, 0.2f, 1, 0.5f};

  Matched() {
    REQUIRE(diopter_match_anchors(&small.grid, &rule, boxes, box_labels, offsets, labels, matches, positives,
                                  nullptr) == DIOPTER_OK);
  }
  GroundTruth truth() {
    return {kImages, 3, boxes.data<float>(), box_labels.data<std::int32_t>(), offsets.data<std::int32_t>()};
  }
};

}  // namespace

TEST_CASE("C interface: a classification loss is that of the kernels, with and without gradient") {
  const std::string text = GENERATE("focal", "focal:gamma=1.5,alpha=0.5", "ce", "quality_focal");
  INFO(text);
  HostArray logits({kImages, 4, 3}, uniform(24, -3, 3, 1));
  HostArray labels({kImages, 4}, std::vector<std::int32_t>{-1, 2, -2, 0, -1, -1, 1, -1});
  HostArray qualities({kImages, 4}, uniform(8, 0, 1, 2));
  HostArray scale({kImages}, std::vector<float>{0.5f, 2});
  HostArray losses = filled({kImages}, NAN), gradient = filled({kImages, 4, 3}, NAN);
  const AnyLoss loss = parse_loss(text, "");
  const bool soft = has_soft_targets(loss);
  REQUIRE(diopter_classification_loss(text.c_str(), logits, labels, soft ? &qualities.tensor : nullptr, scale, losses,
                                      gradient, nullptr) == DIOPTER_OK);

  ClassificationLossArgs<float> args{.logits = {.count = 1, .images = kImages, .cells = 1, .channels = 3, .level = {}},
                                     .labels = labels.data<std::int32_t>(),
                                     .scale = scale.data<float>(),
                                     .losses = nullptr,
                                     .qualities = soft ? qualities.data<float>() : nullptr};
  args.logits.level[0] = {logits.data<float>(), nullptr, 4, 3};
  std::vector<double> sums, slopes;
  plain::classification_loss(args, loss, sums, slopes);
  for (std::size_t i = 0; i < sums.size(); ++i) CHECK(losses.data<float>()[i] == Approx(sums[i]).epsilon(1e-5));
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    CHECK(gradient.data<float>()[i] == Approx(slopes[i]).epsilon(1e-4).margin(1e-7));
  }

  SECTION("no scale: 1") {
    const std::vector<float> scaled = gradient.values<float>();
    REQUIRE(diopter_classification_loss(text.c_str(), logits, labels, soft ? &qualities.tensor : nullptr, nullptr,
                                        losses, gradient, nullptr) == DIOPTER_OK);
    CHECK(gradient.data<float>()[0] == Approx(scaled[0] * 2));
    CHECK(gradient.data<float>()[23] == Approx(scaled[23] / 2));
  }
  SECTION("no gradient: the same values") {
    HostArray alone = filled({kImages}, NAN);
    REQUIRE(diopter_classification_loss(text.c_str(), logits, labels, soft ? &qualities.tensor : nullptr, nullptr,
                                        alone, nullptr, nullptr) == DIOPTER_OK);
    CHECK(alone.values<float>() == losses.values<float>());
  }
}

TEST_CASE("C interface: bfloat16 logits") {
  HostArray logits({1, 2, 1}, std::vector<bf16>{bf16(1.0f), bf16(-2.0f)});
  HostArray labels({1, 2}, std::vector<std::int32_t>{0, -1});
  HostArray losses = filled({1}, NAN), gradient = filled({1, 2, 1}, bf16(9.0f));
  REQUIRE(diopter_classification_loss("ce", logits, labels, nullptr, nullptr, losses, gradient, nullptr) == DIOPTER_OK);
  CHECK(losses.data<float>()[0] == Approx(std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-2.0))).epsilon(1e-5));
  CHECK(float(gradient.data<bf16>()[0]) == Approx(-1 / (1 + std::exp(1.0))).epsilon(0.01));
}

TEST_CASE("C interface: a batch without images or anchors") {
  HostArray no_logits = filled({0, 4, 3}, 0.0f), no_labels = filled<std::int32_t>({0, 4}, 0), none = filled({0}, 0.0f);
  CHECK(diopter_classification_loss("ce", no_logits, no_labels, nullptr, nullptr, none, nullptr, nullptr) ==
        DIOPTER_OK);
  HostArray logits = filled({2, 0, 3}, 0.0f), labels = filled<std::int32_t>({2, 0}, 0), losses = filled({2}, NAN);
  CHECK(diopter_classification_loss("ce", logits, labels, nullptr, nullptr, losses, nullptr, nullptr) == DIOPTER_OK);
  CHECK(losses.values<float>() == std::vector<float>{0, 0});
}

TEST_CASE("C interface: losses that cannot be") {
  HostArray logits = filled({1, 1, 1}, 0.0f), labels = filled<std::int32_t>({1, 1}, 0), losses = filled({1}, 0.0f);
  const auto with = [&](const char* loss) {
    return diopter_classification_loss(loss, logits, labels, nullptr, nullptr, losses, nullptr, nullptr);
  };
  require_refused(with(nullptr), {"diopter_classification_loss: loss: is null"});
  require_refused(with("fokal"), {"loss: unknown loss fokal", "the nearest is focal"});
  require_refused(with("focal:gama=2"), {"unknown parameter gama of focal"});
  require_refused(with("focal:gamma=-1"), {"gamma"});
  require_refused(with("ohem"), {"ohem selects hard examples"});
  require_refused(with("ghm"), {"ghm weighs logits by the gradients of steps before"});
  require_refused(with("equalized_focal"), {"equalized_focal weighs logits by the gradients of steps before"});
  require_refused(diopter_classification_loss("ce", logits, labels, losses, nullptr, losses, nullptr, nullptr),
                  {"qualities: is float32 [1], must be float32 [1, 1]"});
  HostArray qualities = filled({1, 1}, 0.5f);
  require_refused(diopter_classification_loss("ce", logits, labels, qualities, nullptr, losses, nullptr, nullptr),
                  {"qualities: ce has no soft targets"});
  labels.data<std::int32_t>()[0] = 1;
  CHECK(with("ce") == DIOPTER_FAILED);
  CHECK(std::string(diopter_last_error()).find("label 1 of an anchor, with 1 classes") != std::string::npos);
}

TEST_CASE("C interface: anchors and their matches are those of the kernels") {
  Matched m;
  const AnchorGrid grid = c_api::anchor_grid(&m.small.grid);
  HostArray boxes = filled({SmallGrid::kAnchors, 4}, NAN);
  REQUIRE(diopter_anchors(&m.small.grid, boxes, nullptr) == DIOPTER_OK);
  std::vector<float> expected(SmallGrid::kAnchors * 4);
  plain::generate_anchors(grid, expected.data());
  CHECK(boxes.values<float>() == expected);
  CHECK(box_at(expected.data(), 1) == Box{11, 0, 19, 8});
  CHECK(box_at(expected.data(), 3) == Box{1, 8, 9, 16});

  std::vector<std::int32_t> labels(kImages * SmallGrid::kAnchors), matches(labels.size()), positives(kImages);
  plain::match_anchors({grid, m.truth(), {0.4f, 0.2f, true, 0.5f}, labels.data(), matches.data(), positives.data()});
  CHECK(m.labels.values<std::int32_t>() == labels);
  CHECK(m.matches.values<std::int32_t>() == matches);
  CHECK(m.positives.values<std::int32_t>() == positives);
  CHECK(positives[0] > 0);
  CHECK(positives[1] > 0);
}

TEST_CASE("C interface: offsets, matches and grids that lead outside are refused") {
  Matched m;
  const auto match = [&] {
    return diopter_match_anchors(&m.small.grid, &m.rule, m.boxes, m.box_labels, m.offsets, m.labels, m.matches,
                                 m.positives, nullptr);
  };
  std::int32_t* offsets = m.offsets.data<std::int32_t>();
  offsets[2] = 4;
  require_refused(match(), {"offsets: of image 1 are 2 and 4", "at most 3"});
  offsets[1] = -1;
  require_refused(match(), {"offsets: of image 0 are 0 and -1"});
  offsets[0] = 1;
  require_refused(match(), {"offsets: begin with 1"});
  offsets[0] = 0, offsets[1] = 2, offsets[2] = 3;

  HostArray deltas = filled({kImages, SmallGrid::kAnchors, 4}, 0.0f), losses = filled({kImages}, 0.0f);
  m.labels.data<std::int32_t>()[SmallGrid::kAnchors] = 0;
  m.matches.data<std::int32_t>()[SmallGrid::kAnchors] = 1;
  require_refused(diopter_box_loss("giou", 0, &m.small.grid, deltas, m.boxes, m.offsets, m.labels, m.matches, nullptr,
                                   losses, nullptr, nullptr, nullptr),
                  {"matches: anchor 0 of image 1 has box 1, the image has 1"});

  const auto refused = [&](auto change, const std::string& words) {
    SmallGrid changed;
    change(changed);
    HostArray boxes = filled({SmallGrid::kAnchors, 4}, 0.0f);
    require_refused(diopter_anchors(&changed.grid, boxes, nullptr), {words});
  };
  refused([](SmallGrid& g) { g.grid.struct_size = 8; }, "grid->struct_size: is 8");
  refused([](SmallGrid& g) { g.grid.struct_size = 1000; }, "grid->struct_size: is 1000");
  refused([](SmallGrid& g) { g.grid.levels = 0; }, "grid->levels: is 0, must be from 1 to 8");
  refused([](SmallGrid& g) { g.grid.levels = 9; }, "grid->levels: is 9");
  refused([](SmallGrid& g) { g.grid.cells = 17; }, "grid->cells: is 17, must be from 1 to 16");
  refused([](SmallGrid& g) { g.grid.offset = NAN; }, "grid->offset");
  refused([](SmallGrid& g) { g.grid.sizes = nullptr; }, "grid->sizes: is null");
  refused([](SmallGrid& g) { g.grid.strides = nullptr; }, "grid->strides: is null");
  refused([](SmallGrid& g) { g.grid.boxes = nullptr; }, "grid->boxes: is null");
  refused([](SmallGrid& g) { g.sizes[3] = 0; }, "grid->sizes: level 1 has 1 x 0");
  refused([](SmallGrid& g) { g.sizes[0] = g.sizes[1] = 1 << 30; }, "grid->sizes: level 0 has more than 2^31 - 1");
  refused([](SmallGrid& g) { g.strides[1] = 0; }, "grid->strides: of level 0 are 8 and 0");
  refused([](SmallGrid& g) { g.boxes[6] = -8; }, "grid->boxes: box 1 is [-8, -8, -8, 8]");

  const auto rule_refused = [&](auto change, const std::string& words) {
    Matched other;
    change(other.rule);
    require_refused(diopter_match_anchors(&other.small.grid, &other.rule, other.boxes, other.box_labels, other.offsets,
                                          other.labels, other.matches, other.positives, nullptr),
                    {words});
  };
  rule_refused([](diopter_match_rule& r) { r.struct_size = 0; }, "rule->struct_size: is 0");
  rule_refused([](diopter_match_rule& r) { r.foreground_iou = NAN; }, "rule->foreground_iou: is nan");
  rule_refused([](diopter_match_rule& r) { r.background_iou = 0.5f; }, "rule->background_iou: is 0.5, must be at most");
  rule_refused([](diopter_match_rule& r) { r.low_quality = 2; }, "rule->low_quality: is 2");
  rule_refused([](diopter_match_rule& r) { r.ignore_overlap = -1; }, "rule->ignore_overlap: is -1");
}

TEST_CASE("C interface: box losses are those of the kernels, in images of several levels") {
  const Named<BoxLoss> loss = GENERATE(from_range(std::begin(kBoxLosses), std::end(kBoxLosses)));
  INFO(loss.name);
  Matched m;
  const AnchorGrid grid = c_api::anchor_grid(&m.small.grid);
  HostArray deltas({kImages, SmallGrid::kAnchors, 4}, uniform(64, -0.5f, 0.5f, 3));
  HostArray scale({kImages}, std::vector<float>{0.5f, 2});
  HostArray losses = filled({kImages}, NAN), gradient = filled({kImages, SmallGrid::kAnchors, 4}, NAN);
  HostArray ious = filled({kImages, SmallGrid::kAnchors}, NAN);
  REQUIRE(diopter_box_loss(loss.name, 0.1f, &m.small.grid, deltas, m.boxes, m.offsets, m.labels, m.matches, scale,
                           losses, gradient, ious, nullptr) == DIOPTER_OK);
  for (int image = 0; image < kImages; ++image) {
    double sum = 0;
    for (std::int64_t anchor = 0; anchor < SmallGrid::kAnchors; ++anchor) {
      const std::int64_t at = image * SmallGrid::kAnchors + anchor;
      const float* slope = gradient.data<float>() + 4 * at;
      if (m.labels.data<std::int32_t>()[at] < 0) {
        CHECK((slope[0] == 0 && slope[1] == 0 && slope[2] == 0 && slope[3] == 0));
        continue;
      }
      std::int64_t index = anchor;
      const int level = grid.level_of(index);
      const std::int32_t box = m.offsets.data<std::int32_t>()[image] + m.matches.data<std::int32_t>()[at];
      const Box target = box_at(m.boxes.data<float>(), box), own = grid.box(level, index);
      float derivative[4];
      sum += double{box_loss_value(loss.value, 0.1f, {}, own, target, deltas.data<float>() + 4 * at, derivative)};
      for (int i = 0; i < 4; ++i) {
        CHECK(slope[i] == Approx(scale.data<float>()[image] * derivative[i]).epsilon(1e-5).margin(1e-7));
      }
      CHECK(ious.data<float>()[at] == Approx(box_iou(decode_box({}, own, deltas.data<float>() + 4 * at), target)));
    }
    CHECK(losses.data<float>()[image] == Approx(sum).epsilon(1e-5));
  }
}
