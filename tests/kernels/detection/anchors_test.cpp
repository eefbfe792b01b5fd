#include "kernels/detection/anchors.h"

#include <vector>

#include "kernels/plain/anchors.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

// torchvision's anchors of P3: sizes 32, 40, 50 and ratios 0.5, 1, 2, rounded to integers.
const std::vector<Box> kCells = {{-23, -11, 23, 11}, {-28, -14, 28, 14}, {-35, -18, 35, 18},
                                 {-16, -16, 16, 16}, {-20, -20, 20, 20}, {-25, -25, 25, 25},
                                 {-11, -23, 11, 23}, {-14, -28, 14, 28}, {-18, -35, 18, 35}};

AnchorGrid two_levels(float offset) {
  AnchorGrid grid;
  grid.levels = 2;
  grid.cells = 9;
  grid.offset = offset;
  grid.level[0] = {2, 3, 8, 8, {}};
  grid.level[1] = {1, 2, 61, 64, {}};  // the strides of torchvision need not be equal or powers of two
  for (int i = 0; i < 9; ++i) grid.level[0].cell[i] = grid.level[1].cell[i] = kCells[i];
  return grid;
}

std::vector<Box> generate(Device device, const AnchorGrid& grid) {
  std::vector<Box> boxes(grid.size(), Box{-1, -1, -1, -1});
  test::on(device, [&](auto& at) { DIOPTER_DISPATCH(device, generate_anchors, grid, test::coordinates(at(boxes))); });
  return boxes;
}

TEST_CASE("anchors: level, then y, then x, then cell") {
  const Device device = GENERATE(from_range(test::devices()));
  const AnchorGrid grid = two_levels(0);
  REQUIRE(grid.size() == (2 * 3 + 2) * 9);
  REQUIRE(grid.level_offset(1) == 54);
  const std::vector<Box> boxes = generate(device, grid);
  for (int i = 0; i < 9; ++i) CHECK(boxes[i] == kCells[i]);
  CHECK(boxes[9] == Box{-15, -11, 31, 11});          // x = 1
  CHECK(boxes[2 * 9 + 8] == Box{-2, -35, 34, 35});   // x = 2, last cell
  CHECK(boxes[3 * 9] == Box{-23, -3, 23, 19});       // y = 1
  CHECK(boxes[54] == kCells[0]);                     // second level
  CHECK(boxes[54 + 9 + 3] == Box{45, -16, 77, 16});  // its x = 1
}

TEST_CASE("anchors: offset of half a stride") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<Box> boxes = generate(device, two_levels(0.5f));
  CHECK(boxes[3] == Box{-12, -12, 20, 20});
  CHECK(boxes[54 + 3] == Box{14.5f, 16, 46.5f, 48});
}

TEST_CASE("anchors: numbers of anchors at common sizes") {
  const auto count = [](int h, int w) {
    AnchorGrid grid;
    grid.levels = 5;
    grid.cells = 9;
    for (int l = 0; l < 5; ++l) {
      const int stride = 8 << l;
      grid.level[l] = {(h + stride - 1) / stride, (w + stride - 1) / stride, 1, 1, {}};
    }
    return grid.size();
  };
  CHECK(count(512, 512) == 49104);
  CHECK(count(800, 800) == 120087);
  CHECK(count(800, 1344) == 201600);
}

TEST_CASE("anchors: a grid of many pixels and an empty one") {
  const Device device = GENERATE(from_range(test::devices()));
  const AnchorGrid grid = test::small_grid(2, 70, 65, 4);
  const std::vector<Box> boxes = generate(device, grid);
  std::vector<Box> expected(grid.size());
  plain::generate_anchors(grid, test::coordinates(expected.data()));
  REQUIRE(boxes == expected);
  CHECK(generate(device, AnchorGrid{}).empty());
}

}  // namespace
}  // namespace diopter
