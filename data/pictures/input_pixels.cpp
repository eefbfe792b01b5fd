#include "data/pictures/input_pixels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "data/pictures/bilinear.h"
#include "data/pictures/resample.h"
#include "kernels/base/check.h"

namespace diopter {

namespace {

/// Columns and rows of a picture, in the order in which they are looked at.
struct Grid {
  std::vector<int> columns, rows;
};

/// All of the plan's crop, from right to left when it is mirrored.
Grid grid_of(const PixelPlan& plan) {
  Grid grid{std::vector<int>(plan.crop.width), std::vector<int>(plan.crop.height)};
  std::iota(grid.columns.begin(), grid.columns.end(), plan.crop.x);
  std::iota(grid.rows.begin(), grid.rows.end(), plan.crop.y);
  if (plan.flip) std::ranges::reverse(grid.columns);
  return grid;
}

/// Calls visit(pixel of the picture, its index in the grid).
template <class Visit>
void for_each_pixel(const Image& image, const Grid& grid, const Visit& visit) {
  std::size_t i = 0;
  for (const int y : grid.rows) {
    for (const int x : grid.columns) visit(image.pixel(x, y), i++);
  }
}

/// Of the window with the map's levels, to 1/256.
float mean_grey(const Image& image, const Window& window, const ColourMap& map) {
  std::array<std::uint16_t, 256> levels;
  for (int v = 0; v < 256; ++v) {
    levels[v] = static_cast<std::uint16_t>(std::lround(map.level(static_cast<float>(v)) * 256));
  }
  std::uint64_t sums[3] = {};
  for (int y = window.y; y < window.y + window.height; ++y) {
    const std::uint8_t* rgb = image.pixel(window.x, y);
    for (int x = 0; x < window.width; ++x, rgb += 3) {
      for (int c = 0; c < 3; ++c) sums[c] += levels[rgb[c]];
    }
  }
  const double count = 256.0 * window.width * window.height;
  const auto mean = [&](int c) { return static_cast<float>(static_cast<double>(sums[c]) / count); };
  return grey_of(mean(0), mean(1), mean(2));
}

/// The grid's pixels with other colours, normalised.
std::vector<float> pixels_of(const Image& image, const Grid& grid, const ColourMap& map, const Normalisation& norm) {
  std::vector<float> pixels(grid.columns.size() * grid.rows.size() * 3);
  float table[3][256];
  PixelTable::fill(map, norm, table);
  const PixelTable normalised(map, norm, table);
  const int first = norm.bgr ? 2 : 0;
  for_each_pixel(image, grid, [&](const std::uint8_t* rgb, std::size_t i) {
    const std::uint8_t bytes[3] = {rgb[first], rgb[1], rgb[2 - first]};
    normalised(bytes, &pixels[3 * i]);
  });
  return pixels;
}

std::vector<int> part(const std::vector<int>& all, int begin, int count) {
  return {all.begin() + begin, all.begin() + begin + count};
}

std::vector<int> picked(const std::vector<int>& all, const std::vector<int>& which) {
  std::vector<int> result;
  result.reserve(which.size());
  for (const int i : which) result.push_back(all[i]);
  return result;
}

}  // namespace

ColourMap colour_map(const Image& image, const Window& window, const ColourChange& change) {
  ColourMap map{.brightness = change.brightness, .saturation = change.saturation};
  if (change.contrast != 1) {
    map.centre = mean_grey(image, window, map);  // after the change of brightness alone
    map.contrast = change.contrast;
  }
  if (change.hue != 0) {  // Rodrigues' rotation about the grey axis (1, 1, 1) / sqrt(3)
    const float angle = change.hue * 6.2831853f;
    const float third = (1 - std::cos(angle)) / 3, sine = std::sin(angle) / std::sqrt(3.0f);
    map.same = std::cos(angle) + third;
    map.next = third - sine;
    map.previous = third + sine;
  }
  return map;
}

std::vector<float> input_pixels(const Image& image, const PixelPlan& plan, const Normalisation& norm) {
  const Grid all = grid_of(plan);
  const Window& view = plan.view;
  if (!plan.resizes()) {
    const Grid seen{part(all.columns, view.x, view.width), part(all.rows, view.y, view.height)};
    return pixels_of(image, seen, colour_map(image, plan.crop, plan.colours), norm);
  }
  switch (plan.filter) {
    case ResizeFilter::bilinear: {
      BilinearAxis horizontal(plan.crop.width, plan.width, view.x, view.width);
      BilinearAxis vertical(plan.crop.height, plan.height, view.y, view.height);
      const Grid used{picked(all.columns, keep_used(horizontal)), picked(all.rows, keep_used(vertical))};
      const std::vector<float> pixels = pixels_of(image, used, colour_map(image, plan.crop, plan.colours), norm);
      std::vector<float> resized(static_cast<std::size_t>(view.width) * view.height * 3);
      resize_bilinear(pixels.data(), static_cast<int>(used.columns.size()), horizontal, vertical, resized.data());
      return resized;
    }
    case ResizeFilter::pillow: {
      PixelPlan of_resized = plan;
      of_resized.crop = {0, 0, plan.width, plan.height};
      return input_pixels(resample(cut(image, plan.crop), plan.width, plan.height), of_resized, norm);
    }
  }
  fail("no such filter");
}

}  // namespace diopter
