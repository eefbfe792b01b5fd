#include "kernels/detection/match.h"

#include <algorithm>
#include <cmath>

#include "kernels/plain/match.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

struct Matched {
  std::vector<std::int32_t> labels, matches, positives;
  bool operator==(const Matched&) const = default;
};

/// Boxes of several images; a label of kIgnore marks a crowd.
struct MatchScene {
  std::vector<Box> boxes;
  std::vector<std::int32_t> labels, offsets{0};

  void add(const Box& box, std::int32_t label) {
    boxes.push_back(box);
    labels.push_back(label);
  }
  void end_image() { offsets.push_back(static_cast<std::int32_t>(boxes.size())); }
  int images() const { return static_cast<int>(offsets.size()) - 1; }
};

/// What match_anchors, a function of MatchArgs, makes of the scene with arrays on a device.
template <class MatchAnchors>
Matched matched(Device device, const AnchorGrid& grid, const MatchScene& scene, const MatchRule& rule,
                const MatchAnchors& match_anchors) {
  Matched m;
  m.labels.assign(scene.images() * grid.size(), 99);
  m.matches.assign(m.labels.size(), 99);
  m.positives.assign(scene.images(), 99);
  test::on(device, [&](auto& at) {
    const GroundTruth truth{scene.images(), static_cast<std::int32_t>(scene.boxes.size()),
                            test::coordinates(at(scene.boxes)), at(scene.labels), at(scene.offsets)};
    match_anchors(MatchArgs{grid, truth, rule, at(m.labels), at(m.matches), at(m.positives)});
  });
  return m;
}

Matched match(Device device, const AnchorGrid& grid, const MatchScene& scene, const MatchRule& rule) {
  return matched(device, grid, scene, rule,
                 [&](const MatchArgs& args) { DIOPTER_DISPATCH(device, match_anchors, args); });
}

Matched match_plainly(const AnchorGrid& grid, const MatchScene& scene, const MatchRule& rule) {
  return matched(Device::cpu, grid, scene, rule, plain::match_anchors);
}

/// Boxes on an integer lattice, so that ties are frequent; duplicates, crowds, boxes off the picture.
MatchScene random_scene(int images, int boxes, float extent, std::uint64_t seed) {
  MatchScene scene;
  Philox random(seed, 0);
  for (int image = 0; image < images; ++image) {
    for (int i = 0; i < boxes; ++i) {
      const float x = std::floor(random.uniform(-20, extent)), y = std::floor(random.uniform(-20, extent));
      const Box box{x, y, x + static_cast<float>(1 + random.below(60)), y + static_cast<float>(1 + random.below(60))};
      scene.add(box, random.below(6) == 0 ? kIgnore : static_cast<std::int32_t>(random.below(5)));
      if (random.below(8) == 0) scene.add(box, static_cast<std::int32_t>(random.below(5)));
    }
    scene.end_image();
  }
  return scene;
}

TEST_CASE("match: equals the plain rule on random scenes") {
  const Device device = GENERATE(from_range(test::devices()));
  const AnchorGrid grid = test::small_grid(3, 18, 13, 8);
  for (bool low_quality : {false, true}) {
    for (int boxes : {1, 2, 5, 30}) {
      const MatchScene scene = random_scene(3, boxes, 140, 100 + boxes);
      for (const MatchRule& rule : {MatchRule{0.5f, 0.4f, low_quality, 0.5f}, MatchRule{0.3f, 0.3f, low_quality, 0.1f},
                                    MatchRule{0.7f, 0.0f, low_quality, 1.0f}}) {
        INFO("low quality " << low_quality << " boxes " << boxes << " foreground " << rule.foreground_iou);
        REQUIRE(match(device, grid, scene, rule) == match_plainly(grid, scene, rule));
      }
    }
  }
}

MatchRule atss(int candidates, float ignore_overlap = 0.5f) {
  return {.ignore_overlap = ignore_overlap, .kind = MatchKind::atss, .candidates = candidates};
}

TEST_CASE("atss: equals all anchors sorted by distance, exactly, ties included") {
  const Device device = GENERATE(from_range(test::devices()));
  AnchorGrid odd =
      test::small_grid(3, 18, 13, 1.7f);  // positions that are no integers, levels of another stride along x
  odd.offset = 0.5f;
  for (int l = 0; l < odd.levels; ++l) odd.level[l].stride_x = 2.3f * static_cast<float>(1 << l);
  for (const AnchorGrid& grid : {test::small_grid(3, 18, 13, 8), odd, test::small_grid(2, 1, 40, 4)}) {
    for (int boxes : {1, 5, 30}) {
      const MatchScene scene = random_scene(3, boxes, 140, 200 + boxes);
      for (const int candidates : {1, 2, 9, 32}) {
        INFO("boxes " << boxes << " candidates " << candidates << " on " << test::device_name(device));
        const Matched plain = match_plainly(grid, scene, atss(candidates, 0.3f));
        const Matched found = match(device, grid, scene, atss(candidates, 0.3f));
        REQUIRE(found == plain);
        if (boxes == 30 && candidates == 9 && grid.levels == 3) {
          CHECK(found.positives[0] > 0);
          CHECK(std::count(found.labels.begin(), found.labels.end(), kIgnore) > 0);
        }
      }
    }
  }
}

TEST_CASE("atss: a grid of one row, with fewer anchors than candidates, and images without boxes") {
  const Device device = GENERATE(from_range(test::devices()));
  for (int anchors : {0, 1, 5, 300}) {
    AnchorGrid grid;
    grid.levels = 1;
    grid.cells = 1;
    grid.level[0] = {1, anchors, 0.25f, 1, {{0, 0, 24, 20}}};
    for (int boxes : {0, 1, 257}) {
      MatchScene scene = random_scene(2, boxes, 100, boxes + 1);
      scene.end_image();
      INFO(anchors << " anchors, " << boxes << " boxes");
      REQUIRE(match(device, grid, scene, atss(9)) == match_plainly(grid, scene, atss(9)));
    }
  }
}

TEST_CASE("atss: mean plus standard deviation of the candidates, and a centre inside the box") {
  const Device device = GENERATE(from_range(test::devices()));
  AnchorGrid grid;  // eight anchors of 10 x 10 in a row
  grid.levels = 1;
  grid.cells = 1;
  grid.level[0] = {1, 8, 10, 10, {{0, 0, 10, 10}}};
  const auto labels = [&](const Box& box, int candidates) {
    MatchScene scene;
    scene.add(box, 4);
    scene.end_image();
    return match(device, grid, scene, atss(candidates)).labels;
  };
  const int bg = kBackground;
  // IoUs of anchors 1, 0, 2 with the box: 1, 0, 0. Mean 1/3, deviation .577: the threshold is .911.
  CHECK(labels({10, 0, 20, 10}, 3) == std::vector<std::int32_t>{bg, 4, bg, bg, bg, bg, bg, bg});
  // Two of 1/3 with a box over halves of both: mean and threshold 1/3, but the centres lie on its borders, outside.
  CHECK(labels({15, 0, 25, 10}, 2) == std::vector<std::int32_t>(8, bg));
  // A little wider they lie inside.
  CHECK(labels({14, 0, 26, 10}, 2) == std::vector<std::int32_t>{bg, 4, 4, bg, bg, bg, bg, bg});
  // One candidate: its own IoU is the threshold. Of two at the same distance the first.
  CHECK(labels({14, 0, 26, 10}, 1) == std::vector<std::int32_t>{bg, 4, bg, bg, bg, bg, bg, bg});
  // No anchor has its centre in a box beside them all.
  CHECK(labels({0, 30, 10, 40}, 2) == std::vector<std::int32_t>(8, bg));
}

TEST_CASE("match: rows longer than a tile, positions that are no integers, thresholds of 0") {
  const Device device = GENERATE(from_range(test::devices()));
  AnchorGrid grid = test::small_grid(2, 3, 400, 1.7f);
  grid.offset = 0.5f;
  for (int l = 0; l < grid.levels; ++l) grid.level[l].stride_x = 2.3f;
  const MatchScene scene = random_scene(2, 20, 600, 9);
  for (bool low_quality : {false, true}) {
    for (const MatchRule& rule : {MatchRule{0.5f, 0.4f, low_quality, 0.5f}, MatchRule{0.2f, 0.1f, low_quality, 0.0f},
                                  MatchRule{0.0f, 0.0f, low_quality, 0.5f}}) {
      INFO("low quality " << low_quality << " foreground " << rule.foreground_iou);
      const Matched plain = match_plainly(grid, scene, rule);
      REQUIRE(match(device, grid, scene, rule) == plain);
      if (device == Device::cpu) {
        test::with_thread_counts([&] { REQUIRE(match(device, grid, scene, rule) == plain); });
      }
    }
  }
}

TEST_CASE("match: room behind the last box holds no box") {
  const Device device = GENERATE(from_range(test::devices()));
  const AnchorGrid grid = test::small_grid(3, 18, 13, 8);
  for (bool low_quality : {false, true}) {
    const MatchRule rule{0.5f, 0.4f, low_quality, 0.5f};
    MatchScene scene = random_scene(3, 5, 140, 7);
    const Matched expected = match(device, grid, scene, rule);
    for (std::int32_t label : {1, kIgnore}) scene.add({0, 0, 60, 60}, label);
    CHECK(match(device, grid, scene, rule) == expected);
  }
}

TEST_CASE("match: any number of anchors and boxes") {
  const Device device = GENERATE(from_range(test::devices()));
  for (int anchors : {0, 1, 31, 32, 33, 255, 256, 257, 1000}) {
    AnchorGrid grid;
    grid.levels = 1;
    grid.cells = 1;
    grid.level[0] = {1, anchors, 0.25f, 1, {{0, 0, 24, 20}}};
    for (int boxes : {1, 31, 32, 33, 255, 256, 257}) {
      const MatchScene scene = random_scene(2, boxes, 100, boxes);
      const MatchRule rule{0.4f, 0.3f, boxes % 2 == 0, 0.5f};
      INFO(anchors << " anchors, " << boxes << " boxes");
      REQUIRE(match(device, grid, scene, rule) == match_plainly(grid, scene, rule));
    }
  }
}

TEST_CASE("match: more than a thousand boxes") {
  const Device device = GENERATE(from_range(test::devices()));
  const AnchorGrid grid = test::small_grid(2, 12, 12, 8);
  const MatchScene scene = random_scene(1, 1100, 90, 3);
  const MatchRule rule{0.5f, 0.4f, true, 0.5f};
  CHECK(match(device, grid, scene, rule) == match_plainly(grid, scene, rule));
}

/// Four anchors of 10 x 10 side by side.
AnchorGrid four_anchors() {
  AnchorGrid grid;
  grid.levels = 1;
  grid.cells = 1;
  grid.level[0] = {1, 4, 10, 10, {{0, 0, 10, 10}}};
  return grid;
}

TEST_CASE("match: thresholds are inclusive below") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.add({0, 0, 10, 5}, 3);   // IoU 0.5
  scene.add({10, 0, 20, 4}, 4);  // IoU 0.4
  scene.add({20, 0, 30, 3}, 5);  // IoU 0.3
  scene.end_image();
  const Matched m = match(device, four_anchors(), scene, {});
  CHECK(m.labels == std::vector<std::int32_t>{3, kIgnore, kBackground, kBackground});
  CHECK(m.matches == std::vector<std::int32_t>{0, -1, -1, -1});
  CHECK(m.positives == std::vector<std::int32_t>{1});
}

TEST_CASE("match: a low-quality box takes all anchors that tie, each of which keeps its own best box") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.add({5, 0, 15, 1}, 7);     // IoU 5 / 105 with anchors 0 and 1
  scene.add({10, 0, 20, 2}, 8);    // IoU 0.2 with anchor 1, which is its largest
  scene.add({50, 50, 60, 60}, 9);  // meets no anchor: claims nothing
  scene.end_image();
  const Matched m = match(device, four_anchors(), scene, {0.5f, 0.4f, true, 0.5f});
  CHECK(m.labels == std::vector<std::int32_t>{7, 8, kBackground, kBackground});
  CHECK(m.matches == std::vector<std::int32_t>{0, 1, -1, -1});
}

TEST_CASE("match: the first of equal boxes wins") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.add({10, 0, 20, 10}, 2);
  scene.add({10, 0, 20, 10}, 1);
  scene.end_image();
  const Matched m = match(device, four_anchors(), scene, {0.5f, 0.4f, true, 0.5f});
  CHECK(m.labels == std::vector<std::int32_t>{kBackground, 2, kBackground, kBackground});
  CHECK(m.matches == std::vector<std::int32_t>{-1, 0, -1, -1});
}

TEST_CASE("match: a box smaller than every anchor has no anchor without the low-quality rule") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.add({22, 2, 24, 4}, 0);
  scene.end_image();
  CHECK(match(device, four_anchors(), scene, {}).positives[0] == 0);
  CHECK(match(device, four_anchors(), scene, {0.5f, 0.4f, true, 0.5f}).labels ==
        std::vector<std::int32_t>{kBackground, kBackground, 0, kBackground});
}

TEST_CASE("match: a box between anchors, which meets none of them, claims nothing") {
  const Device device = GENERATE(from_range(test::devices()));
  AnchorGrid grid = four_anchors();
  grid.level[0].stride_x = 20;
  MatchScene scene;
  scene.add({12, 2, 18, 8}, 0);
  scene.end_image();
  const Matched m = match(device, grid, scene, {0.5f, 0.4f, true, 0.5f});
  CHECK(m.labels == std::vector<std::int32_t>(4, kBackground));
  CHECK(m.positives == std::vector<std::int32_t>{0});
}

TEST_CASE("match: crowds turn background into ignored anchors and claim none") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.add({0, 0, 25, 10}, kIgnore);  // covers anchors 0 and 1 wholly, anchor 2 by half
  scene.add({0, 0, 10, 10}, 6);
  scene.end_image();
  const Matched m = match(device, four_anchors(), scene, {0.5f, 0.4f, true, 0.5f});
  CHECK(m.labels == std::vector<std::int32_t>{6, kIgnore, kIgnore, kBackground});
  CHECK(m.matches == std::vector<std::int32_t>{1, -1, -1, -1});
}

TEST_CASE("match: images without boxes are background, also between others") {
  const Device device = GENERATE(from_range(test::devices()));
  MatchScene scene;
  scene.end_image();
  scene.add({0, 0, 10, 10}, 1);
  scene.end_image();
  scene.end_image();
  scene.add({0, 0, 5, 10}, kIgnore);
  scene.end_image();
  for (bool low_quality : {false, true}) {
    const Matched m = match(device, four_anchors(), scene, {0.0f, 0.0f, low_quality, 0.5f});
    CHECK(m.positives == std::vector<std::int32_t>{0, 4, 0, 0});
    CHECK(m.labels == std::vector<std::int32_t>{-1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1, kIgnore, -1, -1, -1});
  }
  CHECK(match(device, four_anchors(), MatchScene{}, {}).labels.empty());
}

TEST_CASE("match: same result for any number of threads") {
  const Device device = Device::cpu;
  const AnchorGrid grid = test::small_grid(3, 40, 40, 8);
  const MatchScene scene = random_scene(4, 10, 300, 17);
  const MatchRule rule{0.5f, 0.4f, true, 0.5f};
  const Matched first = match(device, grid, scene, rule);
  test::with_thread_counts([&] { REQUIRE(match(device, grid, scene, rule) == first); });
}

}  // namespace
}  // namespace diopter
