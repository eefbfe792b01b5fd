#include "retinanet/detection/anchors_for_levels.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/check.h"

namespace diopter {

namespace {

/// torchvision computes the aspect ratios in float and rounds half to even.
Box rounded_cell(double size, double ratio) {
  const float h_ratio = std::sqrt(static_cast<float>(ratio)), w_ratio = 1.0f / h_ratio;
  const float whole = static_cast<float>(std::trunc(size + 1e-9));
  const float w = std::nearbyint(w_ratio * whole / 2), h = std::nearbyint(h_ratio * whole / 2);
  return {-w, -h, w, h};
}

Box exact_cell(double size, double ratio) {
  const double w = size / std::sqrt(ratio), h = w * ratio;
  return {static_cast<float>(-w / 2), static_cast<float>(-h / 2), static_cast<float>(w / 2), static_cast<float>(h / 2)};
}

Box cell(const Config::Anchors& anchors, int level, double scale, double ratio) {
  const double size = anchor_size(anchors, level, scale);
  switch (anchors.round) {
    case AnchorRounding::none: return exact_cell(size, ratio);
    case AnchorRounding::torchvision: return rounded_cell(size, ratio);
  }
  fail("no such anchors.round");
}

/// Distance of anchors on an axis of the input that has `size` pixels and `cells` anchors.
float stride_of(AnchorStride stride, int level, int size, int cells) {
  switch (stride) {
    case AnchorStride::fixed: return std::ldexp(1.0f, level);
    case AnchorStride::grid: return static_cast<float>(size / cells);
  }
  fail("no such anchors.stride");
}

/// The anchors of a pixel.
std::vector<Box> cells(const Config::Anchors& a, int level) {
  std::vector<Box> boxes;
  switch (a.order) {
    case AnchorOrder::ratio_major:
      for (double ratio : a.ratios) {
        for (double scale : a.scales) boxes.push_back(cell(a, level, scale, ratio));
      }
      return boxes;
    case AnchorOrder::scale_major:
      for (double scale : a.scales) {
        for (double ratio : a.ratios) boxes.push_back(cell(a, level, scale, ratio));
      }
      return boxes;
  }
  fail("no such anchors.order");
}

}  // namespace

double anchor_size(const Config::Anchors& anchors, int level, double scale) {
  return anchors.size_factor * std::ldexp(1.0, level) * scale;
}

const std::vector<std::string>& anchor_box_keys() {
  static const std::vector<std::string> keys{"anchors.size_factor", "anchors.scales", "anchors.ratios",
                                             "anchors.round",       "anchors.stride", "anchors.offset"};
  return keys;
}

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
    g.stride_x = stride_of(a.stride, level, width, g.w);
    g.stride_y = stride_of(a.stride, level, height, g.h);
    const std::vector<Box> boxes = cells(a, level);
    std::copy(boxes.begin(), boxes.end(), g.cell);
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
