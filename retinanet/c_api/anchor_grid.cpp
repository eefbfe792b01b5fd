#include "retinanet/c_api/anchor_grid.h"

#include <cmath>
#include <limits>

#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"

namespace diopter::c_api {

namespace {

Box cell_of(const float* boxes, std::int64_t i) {
  const Box cell = box_at(boxes, i);
  const bool finite =
      std::isfinite(cell.x1) && std::isfinite(cell.y1) && std::isfinite(cell.x2) && std::isfinite(cell.y2);
  require(finite && cell.x2 > cell.x1 && cell.y2 > cell.y1, "grid->boxes: box ", i, " is [", cell.x1, ", ", cell.y1,
          ", ", cell.x2, ", ", cell.y2, "], must be finite with x2 > x1 and y2 > y1");
  return cell;
}

}  // namespace

AnchorGrid anchor_grid(const diopter_anchor_grid* grid) {
  require(grid, "grid: is null, must be a diopter_anchor_grid");
  check_struct_size("grid", grid->struct_size, sizeof *grid, sizeof *grid);
  require(grid->levels >= 1 && grid->levels <= kMaxLevels, "grid->levels: is ", grid->levels, ", must be from 1 to ",
          kMaxLevels);
  require(grid->cells >= 1 && grid->cells <= kMaxCells, "grid->cells: is ", grid->cells, ", must be from 1 to ",
          kMaxCells);
  require(std::isfinite(grid->offset), "grid->offset: is ", grid->offset, ", must be finite");
  require(grid->sizes, "grid->sizes: is null, must be int32 [levels, 2]");
  require(grid->strides, "grid->strides: is null, must be float32 [levels, 2]");
  require(grid->boxes, "grid->boxes: is null, must be float32 [levels, cells, 4]");

  AnchorGrid result;
  result.levels = grid->levels;
  result.cells = grid->cells;
  result.offset = grid->offset;
  std::int64_t anchors = 0;
  for (int l = 0; l < grid->levels; ++l) {
    AnchorLevel& level = result.level[l];
    level.h = grid->sizes[2 * l], level.w = grid->sizes[2 * l + 1];
    require(level.h >= 1 && level.w >= 1, "grid->sizes: level ", l, " has ", level.h, " x ", level.w,
            " pixels, must have at least 1 x 1");
    level.stride_y = grid->strides[2 * l], level.stride_x = grid->strides[2 * l + 1];
    require(level.stride_y > 0 && level.stride_x > 0 && std::isfinite(level.stride_y) && std::isfinite(level.stride_x),
            "grid->strides: of level ", l, " are ", level.stride_y, " and ", level.stride_x, ", must be positive");
    for (int a = 0; a < grid->cells; ++a) level.cell[a] = cell_of(grid->boxes, std::int64_t{l} * grid->cells + a);
    // h * w is below 2^62: its product with the cells must not pass the end unseen.
    require(std::int64_t{level.h} * level.w <= std::numeric_limits<std::int32_t>::max() / grid->cells,
            "grid->sizes: level ", l, " has more than 2^31 - 1 anchors");
    anchors += result.level_size(l);
  }
  as_int(anchors, "anchors");
  return result;
}

}  // namespace diopter::c_api
