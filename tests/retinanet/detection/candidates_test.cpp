#include "retinanet/detection/candidates.h"

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"

namespace diopter {
namespace {

using namespace test;

/// Two levels: four squares of 10 pixels side by side, 8 pixels apart (neighbours have IoU 1/9), and one of 40 pixels.
AnchorGrid grid_of_squares() {
  AnchorGrid grid;
  grid.levels = 2;
  grid.cells = 1;
  grid.level[0] = {.h = 1, .w = 4, .stride_x = 8, .stride_y = 8, .cell = {{-5, -5, 5, 5}}};
  grid.level[1] = {.h = 1, .w = 1, .stride_x = 32, .stride_y = 32, .cell = {{-20, -20, 20, 20}}};
  return grid;
}

Pyramid head(const std::vector<float>& values, int channels, Device device) {
  Levels levels;
  levels.count = 2;
  levels.level[0] = {1, 1, 4};
  levels.level[1] = {1, 1, 1};
  return {Variable(Tensor::from({5, channels}, values, device)), levels};
}

/// Survivors as (label, score, box), best first.
struct Survivor {
  std::int32_t label;
  float score;
  Box box;
  bool operator==(const Survivor&) const = default;
};

std::vector<Survivor> survivors(const Candidates& found) {
  const auto boxes = found.boxes.to_vector<float>(), scores = found.scores.to_vector<float>();
  const auto labels = found.labels.to_vector<std::int32_t>(), keep = found.keep.to_vector<std::int32_t>();
  std::vector<Survivor> result;
  for (int i = 0; i < found.kept.to_vector<std::int32_t>()[0]; ++i) {
    const std::size_t c = static_cast<std::size_t>(keep[i]);
    result.push_back({labels[c], scores[c], {boxes[4 * c], boxes[4 * c + 1], boxes[4 * c + 2], boxes[4 * c + 3]}});
  }
  return result;
}

TEST_CASE("candidates: the best of each level above the threshold, with their boxes, after NMS") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const AnchorGrid grid = grid_of_squares();
  const Pyramid values = head({0, 2, 1, -1, 0.5f}, 1, device), still = head(std::vector<float>(20, 0), 4, device);
  const Box first{-5, -5, 5, 5}, second{3, -5, 13, 5}, third{11, -5, 21, 5}, large{-20, -20, 20, 20};
  CandidateRule rule{
      .min_value = -1, .top_k = 3, .sigmoid = false, .nms_iou = 0.5f, .class_aware = true, .max_kept = 6};
  const auto find = [&](const Tensor& clip = {}) {
    return survivors(find_candidates(rule, grid, 1, values, still, clip));
  };
  CHECK(find() == std::vector<Survivor>{{0, 2, second}, {0, 1, third}, {0, 0.5f, large}, {0, 0, first}});
  CHECK(find(Tensor::from({1, 2}, std::vector<float>{40, 40}, device)) ==
        std::vector<Survivor>{
            {0, 2, {3, 0, 13, 5}}, {0, 1, {11, 0, 21, 5}}, {0, 0.5f, {0, 0, 20, 20}}, {0, 0, {0, 0, 5, 5}}});

  rule.max_kept = 2;
  CHECK(find() == std::vector<Survivor>{{0, 2, second}, {0, 1, third}});
  rule = {.min_value = 0, .top_k = 3, .sigmoid = false, .nms_iou = 0.5f, .class_aware = true, .max_kept = 6};
  CHECK(find() == std::vector<Survivor>{{0, 2, second}, {0, 1, third}, {0, 0.5f, large}});
  rule.top_k = 1;
  CHECK(find() == std::vector<Survivor>{{0, 2, second}, {0, 0.5f, large}});
  rule.top_k = 3;
  rule.nms_iou = 0.1f;  // the second rules out its neighbour; the large one overlaps it by a sixteenth only
  CHECK(find() == std::vector<Survivor>{{0, 2, second}, {0, 0.5f, large}});
  rule.sigmoid = true;
  const std::vector<Survivor> as_probabilities = find();
  REQUIRE(as_probabilities.size() == 2);
  CHECK(as_probabilities[0].score == Approx(1 / (1 + std::exp(-2.0))));
}

TEST_CASE("candidates: classes suppress each other only where the rule says so") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Pyramid values = head({3, -9, -9, 2, -9, -9, -9, -9, -9, -9}, 2, device);
  const Pyramid still = head(std::vector<float>(20, 0), 4, device);
  CandidateRule rule{.min_value = 0, .top_k = 4, .sigmoid = false, .nms_iou = 0.1f, .class_aware = true, .max_kept = 4};
  const auto found = [&] { return survivors(find_candidates(rule, grid_of_squares(), 2, values, still)); };
  CHECK(found() == std::vector<Survivor>{{0, 3, {-5, -5, 5, 5}}, {1, 2, {3, -5, 13, 5}}});
  rule.class_aware = false;
  CHECK(found() == std::vector<Survivor>{{0, 3, {-5, -5, 5, 5}}});
}

}  // namespace
}  // namespace diopter
