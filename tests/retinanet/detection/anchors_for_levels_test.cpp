#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/config/presets.h"

#include <vector>

#include "retinanet/network/retinanet.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

AnchorGrid grid_of(const Config& config, int width, int height) {
  return anchors_for_levels(config, pyramid_levels(config.model, 1, width, height), width, height);
}

void require_cell(const Box& cell, float half_width, float half_height) {
  CHECK(cell.x1 == -half_width);
  CHECK(cell.y1 == -half_height);
  CHECK(cell.x2 == half_width);
  CHECK(cell.y2 == half_height);
}

}  // namespace

TEST_CASE("torchvision's anchor cells") {
  // Half widths and heights that torchvision's AnchorGenerator gives for its RetinaNet, ratio by ratio.
  const float cells[5][9][2] = {
      {{23, 11}, {28, 14}, {35, 18}, {16, 16}, {20, 20}, {25, 25}, {11, 23}, {14, 28}, {18, 35}},
      {{45, 23}, {57, 28}, {71, 36}, {32, 32}, {40, 40}, {50, 50}, {23, 45}, {28, 57}, {36, 71}},
      {{91, 45}, {114, 57}, {144, 72}, {64, 64}, {80, 80}, {102, 102}, {45, 91}, {57, 114}, {72, 144}},
      {{181, 91}, {228, 114}, {287, 144}, {128, 128}, {161, 161}, {203, 203}, {91, 181}, {114, 228}, {144, 287}},
      {{362, 181}, {456, 228}, {574, 287}, {256, 256}, {322, 322}, {406, 406}, {181, 362}, {228, 456}, {287, 574}}};
  const AnchorGrid grid = grid_of(preset("torchvision"), 1344, 800);
  REQUIRE(grid.levels == 5);
  REQUIRE(grid.cells == 9);
  for (int l = 0; l < 5; ++l) {
    for (int a = 0; a < 9; ++a) {
      INFO("level " << l << ", cell " << a);
      require_cell(grid.level[l].cell[a], cells[l][a][0], cells[l][a][1]);
    }
  }
}

TEST_CASE("torchvision's strides are the input size over the grid size") {
  const auto require_strides = [](int width, const std::vector<float>& x) {
    const AnchorGrid grid = grid_of(preset("torchvision"), width, 800);
    const std::vector<float> y{8, 16, 32, 61, 114};
    for (int l = 0; l < 5; ++l) {
      INFO("level " << l);
      CHECK(grid.level[l].stride_x == x[l]);
      CHECK(grid.level[l].stride_y == y[l]);
    }
  };
  require_strides(1344, {8, 16, 32, 64, 122});
  require_strides(1088, {8, 16, 32, 64, 120});
  const AnchorGrid fixed = grid_of(preset("detectron2"), 1344, 800);
  for (int l = 0; l < 5; ++l) {
    CHECK(fixed.level[l].stride_x == static_cast<float>(8 << l));
    CHECK(fixed.level[l].stride_y == static_cast<float>(8 << l));
  }
}

TEST_CASE("numbers of anchors") {
  const Config config = preset("torchvision");
  CHECK(grid_of(config, 1344, 800).size() == 201600);
  CHECK(grid_of(config, 1088, 800).size() == 163206);
  CHECK(grid_of(config, 800, 800).size() == 120087);
  CHECK(grid_of(config, 640, 640).size() == 76725);
  CHECK(grid_of(config, 608, 608).size() == 69354);
  CHECK(grid_of(config, 512, 512).size() == 49104);
}

TEST_CASE("detectron2's cells are exact, and ordered by scale first") {
  Config config = preset("detectron2");
  const AnchorGrid scale_major = grid_of(config, 256, 256);
  config.anchors.order = AnchorOrder::ratio_major;
  const AnchorGrid ratio_major = grid_of(config, 256, 256);
  for (int l = 0; l < 5; ++l) {
    const double side = 32 << l;
    for (int s = 0; s < 3; ++s) {
      for (int r = 0; r < 3; ++r) {
        const Box& cell = scale_major.level[l].cell[3 * s + r];
        CHECK(cell.x1 == ratio_major.level[l].cell[3 * r + s].x1);
        CHECK(cell.y1 == ratio_major.level[l].cell[3 * r + s].y1);
        const double w = cell.x2 - cell.x1, h = cell.y2 - cell.y1, scale = config.anchors.scales[s];
        CHECK(w * h == Approx(side * side * scale * scale).epsilon(1e-6));
        CHECK(h / w == Approx(config.anchors.ratios[r]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("the offset moves all centres by that share of the stride") {
  const AnchorGrid grid = grid_of(test::configured("small", {"anchors.offset=0.5"}), 64, 48);
  const Box box = grid.box(1, std::int64_t{grid.cells} * (2 * grid.level[1].w + 3) + 4);  // level of stride 8, y 2, x 3
  CHECK(0.5f * (box.x1 + box.x2) == 3.5f * 8);
  CHECK(0.5f * (box.y1 + box.y2) == 2.5f * 8);
}

TEST_CASE("predicted level sizes are those of the network's output") {
  for (const char* backbone : {"tiny", "resnet18"}) {
    for (const auto& [min_level, max_level] : {std::pair{2, 4}, {3, 7}, {4, 4}, {5, 6}}) {
      const Config config = test::configured(
          "small", {std::string("model.backbone=") + backbone, "model.min_level=" + std::to_string(min_level),
                    "model.max_level=" + std::to_string(max_level), "model.width=8", "model.fpn_channels=8",
                    "model.head_depth=0"});
      const RetinaNet model(config, 1);
      for (const auto& [width, height] : {std::pair{64, 32}, {33, 47}, {1, 65}}) {
        INFO(backbone << " levels " << min_level << " to " << max_level << ", input " << width << " x " << height);
        const RetinaNet::Output output = model(Variable(Tensor::zeros({2, height, width, 3})));
        const Levels expected = pyramid_levels(config.model, 2, width, height);
        CHECK((output.logits.levels == expected));
        CHECK((output.deltas.levels == expected));
        REQUIRE(output.grid.levels == expected.count);
        for (int l = 0; l < expected.count; ++l) {
          CHECK(output.grid.level[l].h == expected.level[l].h);
          CHECK(output.grid.level[l].w == expected.level[l].w);
        }
        CHECK(output.logits.rows.shape()[0] * output.grid.cells == 2 * output.grid.size());
      }
    }
  }
}
