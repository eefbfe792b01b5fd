#include "retinanet/doctor/anchor_coverage.h"
#include "data/spread_sample.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <algorithm>
#include <cmath>

#include "retinanet/network/input.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

float brute_force(const AnchorGrid& grid, const Box& box) {
  std::vector<float> anchors(static_cast<std::size_t>(grid.size()) * 4);
  cpu::generate_anchors(grid, anchors.data());
  float best = 0;
  for (std::size_t i = 0; i < anchors.size(); i += 4) {
    best = std::max(best, box_iou({anchors[i], anchors[i + 1], anchors[i + 2], anchors[i + 3]}, box));
  }
  return best;
}

Dataset set_of(const std::vector<Rect>& rects) {
  Dataset dataset;
  dataset.categories = {{1, "thing"}};
  dataset.images = {annotated("a", 160, 128, rects)};
  return dataset;
}

}  // namespace

TEST_CASE("the best anchor is that of brute force") {
  for (const std::string setting :
       {"anchors.offset=0", "anchors.offset=0.5", "anchors.stride=grid", "anchors.round=torchvision",
        "model.max_level=6", "anchors.size_factor=1.3", "input.size_divisor=1"}) {
    Config config = preset("small");
    set_config(config, setting);
    const int width = config.input.size_divisor == 1 ? 157 : 160, height = config.input.size_divisor == 1 ? 101 : 112;
    const AnchorGrid grid = anchors_of_input(config, width, height);
    for (float ratio : {0.15f, 0.6f, 1.0f, 4.0f}) {
      for (const Rect& rect : random_rects(40, width, height, 1, 25, ratio, 3)) {
        INFO(setting << ": " << rect.x << ' ' << rect.y << ' ' << rect.w << ' ' << rect.h);
        REQUIRE(std::fabs(best_anchor_iou(grid, rect.box()) - brute_force(grid, rect.box())) <= 1e-6f);
      }
    }
    for (const Box& box : {Box{0, 0, 157, 101}, Box{0, 0, 2, 2}, Box{155, 99, 157, 101}, Box{60, 0, 62, 101}}) {
      REQUIRE(std::fabs(best_anchor_iou(grid, box) - brute_force(grid, box)) <= 1e-6f);
    }
  }
}

TEST_CASE("coverage counts objects by size and shape") {
  // Anchors of preset small: 12 to 76 pixels, h:w 0.5, 1 and 2, every 4 pixels on the finest level.
  Dataset dataset = set_of({{10, 10, 12, 12},   // an anchor itself
                            {66, 60, 3, 3},     // too small
                            {20, 100, 100, 6},  // too flat
                            {0, 0, 160, 128},
                            {30, 30, 40, 40}});
  dataset.images[0].annotations[3].crowd = true;  // no object
  const Config config = preset("small");
  const Coverage coverage = anchor_coverage(config, dataset);
  REQUIRE(coverage.all.boxes == 4);
  REQUIRE(coverage.all.foreground == 2);
  REQUIRE(coverage.all.foreground_share() == 0.5);
  REQUIRE(coverage.by_size.size() == 4);
  REQUIRE(coverage.by_size[0].name == "below 8 px");
  REQUIRE(coverage.by_size[0].foreground == 0);
  REQUIRE(coverage.by_size[1].name == "8 to 16 px");
  REQUIRE(coverage.by_size[1].foreground == 1);
  REQUIRE(coverage.by_ratio.size() == 2);
  REQUIRE(coverage.by_ratio[0].boxes == 1);
  REQUIRE(coverage.by_ratio[0].foreground == 0);
  REQUIRE(coverage.by_ratio[1].boxes == 3);
  REQUIRE(coverage.anchors_per_picture == 9 * (40 * 32 + 20 * 16 + 10 * 8));
  dataset.images.push_back(annotated("b", 80, 64, {}));
  REQUIRE(anchor_coverage(preset("small"), dataset).anchors_per_picture ==
          9 * (40 * 32 + 20 * 16 + 10 * 8) * 1.25 / 2);  // the mean of both pictures

  double sum = 0;
  for (const TargetBox& t : input_targets(dataset.images[0], input_size(config, 160, 128))) {
    if (t.label >= 0) sum += static_cast<double>(brute_force(anchors_of_input(config, 160, 128), t.box));
  }
  REQUIRE(coverage.mean_iou == Approx(sum / 4));
}

TEST_CASE("matches tell objects with weak anchors from those without") {
  // The tiny box lies inside the large one, whose anchors are larger: it gets none unless it may claim its best ones.
  Dataset dataset = set_of({{20, 20, 12, 12}, {60, 60, 48, 48}, {82, 82, 4, 4}});
  Config config = preset("small");
  AnchorMatches matches = match_pictures(config, dataset);
  REQUIRE(matches.pictures == 1);
  REQUIRE(matches.objects == 3);
  REQUIRE(matches.low_quality == 1);
  REQUIRE(matches.unmatched == 0);
  REQUIRE(matches.positives > 3);
  REQUIRE(matches.positives_per_picture.max == static_cast<double>(matches.positives));
  REQUIRE(matches.positives + matches.ignored + matches.background == 9 * (40 * 32 + 20 * 16 + 10 * 8));

  config.match.low_quality = false;
  matches = match_pictures(config, dataset);
  REQUIRE(matches.low_quality == 0);
  REQUIRE(matches.unmatched == 1);
}

TEST_CASE("a sample is spread evenly over the set") {
  Dataset dataset;
  for (int i = 0; i < 10; ++i) dataset.images.push_back(annotated(std::to_string(i), 8, 8, {}));
  const Dataset sample = spread_sample(dataset, 4);
  REQUIRE(sample.images.size() == 4);
  REQUIRE(sample.images[0].name == "0.png");
  REQUIRE(sample.images[3].name == "7.png");
  REQUIRE(spread_sample(dataset, 20).images.size() == 10);
}
