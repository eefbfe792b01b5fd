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

float clamped(float v) { return std::clamp(v, 0.0f, 255.0f); }

float grey(const float* rgb) { return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

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

/// What each value of a channel becomes.
using ValueTable = std::array<float, 256>;

ValueTable changed_brightness(float factor) {
  ValueTable levels;
  for (int v = 0; v < 256; ++v) levels[v] = clamped(static_cast<float>(v) * factor);
  return levels;
}

/// Of the grid's pixels, with their levels to 1/256.
float mean_grey(const Image& image, const Grid& grid, const ValueTable& levels) {
  std::array<std::uint16_t, 256> fixed;
  for (int v = 0; v < 256; ++v) fixed[v] = static_cast<std::uint16_t>(std::lround(levels[v] * 256));
  std::uint64_t sums[3] = {};
  for_each_pixel(image, grid, [&](const std::uint8_t* rgb, std::size_t) {
    for (int c = 0; c < 3; ++c) sums[c] += fixed[rgb[c]];
  });
  const float count = 256 * static_cast<float>(grid.columns.size() * grid.rows.size());
  float means[3];
  for (int c = 0; c < 3; ++c) means[c] = static_cast<float>(sums[c]) / count;
  return grey(means);
}

/// Brightness, then contrast about the mean grey of all pixels: both change every value by itself.
ValueTable changed_levels(const Image& image, const Grid& all, const ColourChange& change) {
  ValueTable levels = changed_brightness(change.brightness);
  if (change.contrast == 1) return levels;
  const float mean = mean_grey(image, all, levels);
  for (float& level : levels) level = clamped(mean + (level - mean) * change.contrast);
  return levels;
}

/// What mixes the channels of a pixel: saturation, then a rotation of the hue.
class ChannelMix {
 public:
  explicit ChannelMix(const ColourChange& change) : saturation_(change.saturation), turns_(change.hue != 0) {
    // Rodrigues' rotation about the grey axis (1, 1, 1) / sqrt(3): a circulant matrix.
    const float angle = change.hue * 6.2831853f;
    const float third = (1 - std::cos(angle)) / 3, sine = std::sin(angle) / std::sqrt(3.0f);
    same_ = std::cos(angle) + third;
    next_ = third - sine;
    previous_ = third + sine;
  }

  void operator()(float* rgb) const {
    const float centre = grey(rgb);
    for (int c = 0; c < 3; ++c) rgb[c] = clamped(centre + (rgb[c] - centre) * saturation_);
    if (!turns_) return;
    const float r = rgb[0], g = rgb[1], b = rgb[2];
    rgb[0] = clamped(same_ * r + next_ * g + previous_ * b);
    rgb[1] = clamped(previous_ * r + same_ * g + next_ * b);
    rgb[2] = clamped(next_ * r + previous_ * g + same_ * b);
  }

 private:
  float saturation_, same_, next_, previous_;
  bool turns_;
};

/// The grid's pixels with other colours, normalised; `all` are those whose mean grey contrast is about.
std::vector<float> pixels_of(const Image& image, const Grid& grid, const Grid& all, const ColourChange& change,
                             const Normalisation& norm) {
  std::vector<float> pixels(grid.columns.size() * grid.rows.size() * 3);
  const ValueTable levels = changed_levels(image, all, change);
  const auto source = [&](int c) { return norm.bgr ? 2 - c : c; };
  if (change.saturation == 1 && change.hue == 0) {
    std::array<ValueTable, 3> normalised;
    for (int c = 0; c < 3; ++c) {
      for (int v = 0; v < 256; ++v) normalised[c][v] = norm(levels[v], c);
    }
    for_each_pixel(image, grid, [&](const std::uint8_t* rgb, std::size_t i) {
      for (int c = 0; c < 3; ++c) pixels[3 * i + c] = normalised[c][rgb[source(c)]];
    });
    return pixels;
  }
  const ChannelMix mix(change);
  float scale[3], shift[3];  // the normalisation, without its divisions
  for (int c = 0; c < 3; ++c) {
    shift[c] = norm(0, c);
    scale[c] = (norm(255, c) - shift[c]) / 255;
  }
  for_each_pixel(image, grid, [&](const std::uint8_t* rgb, std::size_t i) {
    float mixed[3] = {levels[rgb[0]], levels[rgb[1]], levels[rgb[2]]};
    mix(mixed);
    for (int c = 0; c < 3; ++c) pixels[3 * i + c] = mixed[source(c)] * scale[c] + shift[c];
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

std::vector<float> input_pixels(const Image& image, const PixelPlan& plan, const Normalisation& norm) {
  const Grid all = grid_of(plan);
  const Window& view = plan.view;
  if (!plan.resizes()) {
    const Grid seen{part(all.columns, view.x, view.width), part(all.rows, view.y, view.height)};
    return pixels_of(image, seen, all, plan.colours, norm);
  }
  switch (plan.filter) {
    case ResizeFilter::bilinear: {
      BilinearAxis horizontal(plan.crop.width, plan.width, view.x, view.width);
      BilinearAxis vertical(plan.crop.height, plan.height, view.y, view.height);
      const Grid used{picked(all.columns, keep_used(horizontal)), picked(all.rows, keep_used(vertical))};
      const std::vector<float> pixels = pixels_of(image, used, all, plan.colours, norm);
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
