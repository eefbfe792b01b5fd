#include "retinanet/detection/anchors_for_levels.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/check.h"

namespace diopter {

namespace {

Box cell(const Config::Anchors& anchors, int level, double scale, double ratio) {
  const double size = anchors.size_factor * std::ldexp(1.0, level) * scale;
  if (anchors.round == "torchvision") {
    // torchvision computes the aspect ratios in float and rounds half to even.
    const float h_ratio = std::sqrt(static_cast<float>(ratio)), w_ratio = 1.0f / h_ratio;
    const float whole = static_cast<float>(std::trunc(size + 1e-9));
    const float w = std::nearbyint(w_ratio * whole / 2), h = std::nearbyint(h_ratio * whole / 2);
    return {-w, -h, w, h};
  }
  const double w = size / std::sqrt(ratio), h = w * ratio;
  return {static_cast<float>(-w / 2), static_cast<float>(-h / 2), static_cast<float>(w / 2), static_cast<float>(h / 2)};
}

}  // namespace

int cells_of(const Config::Anchors& anchors) { return static_cast<int>(anchors.scales.size() * anchors.ratios.size()); }

AnchorGrid anchors_for_levels(const Config& config, const Levels& levels, int width, int height) {
  const Config::Anchors& a = config.anchors;
  AnchorGrid grid;
  grid.levels = levels.count;
  grid.cells = cells_of(a);
  grid.offset = static_cast<float>(a.offset);
  DIOPTER_CHECK(grid.cells <= kMaxCells, grid.cells, " anchors a pixel, at most ", kMaxCells, " are possible");
  for (int l = 0; l < levels.count; ++l) {
    const int level = config.model.min_level + l;
    AnchorLevel& g = grid.level[l];
    g.h = levels.level[l].h;
    g.w = levels.level[l].w;
    const bool by_grid = a.stride == "grid";
    g.stride_x = by_grid ? static_cast<float>(width / g.w) : std::ldexp(1.0f, level);
    g.stride_y = by_grid ? static_cast<float>(height / g.h) : std::ldexp(1.0f, level);
    int c = 0;
    if (a.order == "ratio_major") {
      for (double ratio : a.ratios) {
        for (double scale : a.scales) g.cell[c++] = cell(a, level, scale, ratio);
      }
    } else {
      for (double scale : a.scales) {
        for (double ratio : a.ratios) g.cell[c++] = cell(a, level, scale, ratio);
      }
    }
  }
  return grid;
}

Levels pyramid_levels(const Config::Model& model, int images, int width, int height) {
  Levels levels;
  int w = width, h = height;
  for (int level = 1; level <= model.max_level; ++level) {
    // Every halving is a convolution or pool with kernel 2p + 1, padding p and stride 2: sizes are rounded up.
    w = (w + 1) / 2;
    h = (h + 1) / 2;
    if (level >= model.min_level) levels.level[levels.count++] = {images, h, w};
  }
  return levels;
}

}  // namespace diopter
