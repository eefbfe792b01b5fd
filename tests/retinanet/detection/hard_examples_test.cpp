#include "retinanet/detection/hard_examples.h"

#include <algorithm>
#include <cmath>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/ohem.h"
#include "kernels/detection/losses/ohem13.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

namespace diopter {
namespace {

using namespace test;

/// One level of `w` squares of 10 pixels side by side, 8 pixels apart: neighbours have IoU 1/9.
AnchorGrid row_of_squares(int w) {
  AnchorGrid grid;
  grid.levels = 1;
  grid.cells = 1;
  grid.level[0] = {.h = 1, .w = w, .stride_x = 8, .stride_y = 8, .cell = {{-5, -5, 5, 5}}};
  return grid;
}

AnchorTargets targets_of(const AnchorGrid& grid, const std::vector<std::int32_t>& labels, Device device,
                         int images = 1) {
  AnchorTargets targets;
  targets.grid = grid;
  targets.labels = Tensor::from({images, grid.size()}, labels, device);
  targets.offsets = Tensor::zeros({images + 1}, DType::i32, device);
  return targets;
}

Levels levels_of(const AnchorGrid& grid, int images) {
  Levels levels;
  for (int l = 0; l < grid.levels; ++l) levels.level[levels.count++] = {images, grid.level[l].h, grid.level[l].w};
  return levels;
}

struct Hard {
  std::vector<std::int32_t> labels, selected, positives;
  bool operator==(const Hard&) const = default;
};

Hard select(const AnchorTargets& targets, const Pyramid& logits, const Pyramid& deltas, int classes,
            const AnyLoss& loss) {
  const HardExamples hard = hard_examples(logits, deltas, classes, targets, loss, *hard_example_rule(loss));
  return {hard.targets.labels.to_vector<std::int32_t>(), hard.selected.to_vector<std::int32_t>(),
          hard.targets.positives.to_vector<std::int32_t>()};
}

TEST_CASE("hard_examples: the highest losses that do not overlap, by hand") {
  const Device device = GENERATE(from_range(devices()));
  const int bg = kBackground, ig = kIgnore;
  const AnchorGrid grid = row_of_squares(6);
  const AnchorTargets targets = targets_of(grid, {bg, 0, bg, ig, bg, bg}, device);
  const auto head = [&](const std::vector<float>& values, int channels) {
    return Pyramid{Variable(Tensor::from({6, channels}, values, device)), levels_of(grid, 1)};
  };
  // Of two classes. Losses, about: 0: 2.3, 1: 5.1 (a missed positive), 2: 6, 3: ignored, 4: 0.03, 5: 1.4.
  const Pyramid logits = head({-4, 2.2f, -5, -4, 6, -4, 9, 9, -4, -5, 0, 0}, 2);
  const Pyramid still = head(std::vector<float>(24, 0), 4);  // boxes are the anchors
  const auto ohem = [&](float batch, float nms, float candidates = 100) { return OhemLoss{batch, nms, candidates}; };
  CHECK(select(targets, logits, still, 2, ohem(2, 0.5f)) == Hard{{ig, 0, bg, ig, ig, ig}, {2}, {1}});
  CHECK(select(targets, logits, still, 2, ohem(9, 0.5f)) == Hard{{bg, 0, bg, ig, bg, bg}, {5}, {1}});
  // Without any overlap: 2 rules out 1 (3 has no loss), 0 stays, 5 rules out 4.
  CHECK(select(targets, logits, still, 2, ohem(9, 0)) == Hard{{bg, ig, bg, ig, ig, bg}, {3}, {0}});
  CHECK(select(targets, logits, still, 2, ohem(9, 0, 2)) == Hard{{ig, ig, bg, ig, ig, ig}, {1}, {0}});
  // It is predicted boxes that overlap: anchor 1's moves by 16 pixels to the right, onto anchor 3, next to 2 and 4.
  const Pyramid moved = head({0, 0, 0, 0, 1.6f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 4);
  CHECK(select(targets, logits, moved, 2, ohem(9, 0)) == Hard{{bg, ig, bg, ig, ig, bg}, {3}, {0}});
  CHECK(select(targets, logits, moved, 2, ohem(3, 0.2f)) == Hard{{bg, 0, bg, ig, ig, ig}, {3}, {1}});
  // Three negatives for the positive, the easiest of four is left out.
  Ohem13Loss ratio;
  ratio.nms = 0.5f;
  CHECK(select(targets, logits, still, 2, ratio) == Hard{{bg, 0, bg, ig, ig, bg}, {4}, {1}});
}

TEST_CASE("hard_examples: a plain reference on two levels and images, and the same on every device") {
  const AnchorGrid grid = small_grid(2, 8, 8, 4);
  const int classes = 3, images = 2;
  const std::int64_t anchors = grid.size();
  const Levels levels = levels_of(grid, images);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < images * anchors; ++i) {
    const std::int64_t draw = i * 11 % 23;
    labels.push_back(draw < 3 ? static_cast<std::int32_t>(i % 3) : draw == 9 ? kIgnore : kBackground);
  }
  const std::vector<float> x = uniform(static_cast<std::size_t>(levels.rows() * grid.cells * classes), -6, 3, 1);
  const std::vector<float> d = uniform(static_cast<std::size_t>(levels.rows() * grid.cells * 4), -0.3f, 0.3f, 2);

  for (const float nms : {0.3f, 0.5f, 0.9f}) {
    for (const bool ratio : {false, true}) {
      OhemLoss one{16, nms, 50};
      Ohem13Loss three;
      three.batch = 16, three.nms = nms, three.candidates = 50;
      const AnyLoss loss = ratio ? AnyLoss(three) : AnyLoss(one);

      std::vector<std::int32_t> expected(labels.size(), kIgnore);
      for (int image = 0; image < images; ++image) {
        struct Anchor {
          double loss;
          std::int64_t index;
          Box box;
        };
        const auto harder = [](const Anchor& a, const Anchor& b) { return a.loss > b.loss; };
        std::vector<Anchor> candidates;
        for (int l = 0; l < grid.levels; ++l) {
          std::vector<Anchor> of_level;
          for (std::int64_t i = 0; i < grid.level_size(l); ++i) {
            const std::int64_t index = grid.level_offset(l) + i;
            const std::int64_t level_start = levels.offset(l) * grid.cells;
            const std::size_t row = static_cast<std::size_t>(level_start + image * grid.level_size(l) + i);
            const std::int32_t label = labels[static_cast<std::size_t>(image * anchors + index)];
            if (label == kIgnore) continue;
            double sum = 0;
            for (int k = 0; k < classes; ++k) {
              sum += CeLoss{}(static_cast<double>(x[row * classes + k]), k == label).value;
            }
            const Box a = grid.box(l, i);
            of_level.push_back({sum, index, decode_box<float>({}, a, &d[row * 4])});
          }
          std::sort(of_level.begin(), of_level.end(), harder);
          of_level.resize(std::min<std::size_t>(of_level.size(), 50));
          candidates.insert(candidates.end(), of_level.begin(), of_level.end());
        }
        std::sort(candidates.begin(), candidates.end(), harder);
        std::vector<Anchor> positive, negative, survivors;
        for (const Anchor& c : candidates) {
          const auto overlaps = [&](const Anchor& s) { return box_iou(s.box, c.box) > nms; };
          if (std::any_of(survivors.begin(), survivors.end(), overlaps)) continue;
          survivors.push_back(c);
          (labels[static_cast<std::size_t>(image * anchors + c.index)] >= 0 ? positive : negative).push_back(c);
        }
        REQUIRE(positive.size() >= 2);
        REQUIRE(survivors.size() >= 8);
        if (ratio) {
          positive.resize(std::min<std::size_t>(positive.size(), 4));
          negative.resize(std::min<std::size_t>(negative.size(), 3 * positive.size()));
          survivors = positive;
          survivors.insert(survivors.end(), negative.begin(), negative.end());
        } else {
          survivors.resize(std::min<std::size_t>(survivors.size(), 16));
        }
        for (const Anchor& s : survivors) {
          const std::size_t i = static_cast<std::size_t>(image * anchors + s.index);
          expected[i] = labels[i];
        }
      }
      for (const Device device : devices()) {
        INFO("nms " << nms << " ratio " << ratio << " on " << device_name(device));
        const Pyramid logits{Variable(Tensor::from({levels.rows(), grid.cells * classes}, x, device)), levels};
        const Pyramid deltas{Variable(Tensor::from({levels.rows(), grid.cells * 4}, d, device)), levels};
        const Hard hard = select(targets_of(grid, labels, device, images), logits, deltas, classes, loss);
        CHECK(hard.labels == expected);
        for (int image = 0; image < images; ++image) {
          const auto first = expected.begin() + image * anchors;
          CHECK(hard.selected[image] == anchors - std::count(first, first + anchors, kIgnore));
          CHECK(hard.positives[image] == std::count_if(first, first + anchors, [](std::int32_t l) { return l >= 0; }));
        }
      }
    }
  }
}

}  // namespace
}  // namespace diopter
