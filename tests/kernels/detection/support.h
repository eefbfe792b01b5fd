// Common parts of the tests of the detection kernels.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/head.h"
#include "tests/support/device_buffer.h"

namespace diopter::test {

/// Central difference with two steps of Richardson extrapolation: the error falls with step^6.
template <class F>
double derivative(const F& f, double x, double step) {
  const auto central = [&](double h) { return (f(x + h) - f(x - h)) / (2 * h); };
  const double a = central(step), b = central(step / 2), c = central(step / 4);
  const double ab = (4 * b - a) / 3, bc = (4 * c - b) / 3;
  return (16 * bc - ab) / 15;
}

/// Runs check() with several numbers of threads; restores the number.
template <class Check>
void with_thread_counts(const Check& check) {
  const int before = thread_count();
  for (int threads : {1, 2, 3}) {
    set_thread_count(threads);
    check();
  }
  set_thread_count(before);
}

/// Boxes as the kernels take them; may be null.
inline float* coordinates(Box* boxes) { return boxes ? &boxes->x1 : nullptr; }
inline const float* coordinates(const Box* boxes) { return boxes ? &boxes->x1 : nullptr; }

/// A head's output over several levels, pixels `padding` values apart; padding and gradient are filled with canaries.
template <class T>
class Head {
 public:
  static constexpr float kCanary = -12345.0f;

  Head(int images, int cells, int channels, std::vector<std::int64_t> pixels, int padding = 0) {
    heads_.count = static_cast<int>(pixels.size());
    heads_.images = images;
    heads_.cells = cells;
    heads_.channels = channels;
    for (std::size_t l = 0; l < pixels.size(); ++l) {
      const std::int64_t stride = cells * channels + padding;
      values_.emplace_back(images * pixels[l] * stride, T(std::numeric_limits<float>::quiet_NaN()));
      gradient_.emplace_back(values_[l].size(), T(kCanary));
      heads_.level[l].pixels = pixels[l];
      heads_.level[l].pixel_stride = stride;
    }
  }

  /// For kernels on the device of `at`, which downloads the gradient.
  HeadLevels<T> levels(DeviceArrays& at, bool with_gradient = true) {
    HeadLevels<T> result = heads_;
    for (int l = 0; l < result.count; ++l) {
      result.level[l].values = at(std::as_const(values_[l]));
      result.level[l].gradient = with_gradient ? at(gradient_[l]) : nullptr;
    }
    return result;
  }
  int images() const { return heads_.images; }
  int count() const { return heads_.count; }
  std::int64_t anchors() const { return heads_.anchors(); }

  T& value(int image, std::int64_t anchor, int channel) { return at(values_, image, anchor, channel); }
  float gradient(int image, std::int64_t anchor, int channel) {
    return static_cast<float>(at(gradient_, image, anchor, channel));
  }
  /// Sets the values of all anchors, image after image.
  void fill(const std::vector<float>& flat) {
    std::size_t i = 0;
    for (int image = 0; image < heads_.images; ++image) {
      for (std::int64_t a = 0; a < heads_.anchors(); ++a) {
        for (int c = 0; c < heads_.channels; ++c) value(image, a, c) = T(flat[i++]);
      }
    }
  }
  /// Gradient values that still hold the canary; padding contributes this many when nothing else does.
  std::int64_t canaries() const {
    std::int64_t count = 0;
    for (const auto& level : gradient_) {
      for (const T& g : level) count += static_cast<float>(g) == static_cast<float>(T(kCanary));
    }
    return count;
  }
  std::int64_t padding_values() const {
    std::int64_t count = 0;
    for (int l = 0; l < heads_.count; ++l) {
      const HeadLevel<T>& level = heads_.level[l];
      count += heads_.images * level.pixels * (level.pixel_stride - heads_.cells * heads_.channels);
    }
    return count;
  }
  std::vector<float> all_gradients() const {
    std::vector<float> all;
    for (const auto& level : gradient_) {
      for (const T& g : level) all.push_back(static_cast<float>(g));
    }
    return all;
  }

 private:
  T& at(std::vector<std::vector<T>>& levels, int image, std::int64_t anchor, int channel) {
    int l = 0;
    for (; anchor >= heads_.level[l].pixels * heads_.cells; ++l) anchor -= heads_.level[l].pixels * heads_.cells;
    const std::int64_t pixel = image * heads_.level[l].pixels + anchor / heads_.cells;
    return levels[l][pixel * heads_.level[l].pixel_stride + anchor % heads_.cells * heads_.channels + channel];
  }

  HeadLevels<T> heads_;
  std::vector<std::vector<T>> values_, gradient_;
};

/// Levels of h x w pixels, halving; three square and oblong cells a pixel, growing with the stride.
inline AnchorGrid small_grid(int levels, int h, int w, float stride) {
  AnchorGrid grid;
  grid.levels = levels;
  grid.cells = 3;
  for (int l = 0; l < levels; ++l) {
    const float s = stride * static_cast<float>(1 << l);
    AnchorLevel& level = grid.level[l];
    level.h = (h + (1 << l) - 1) >> l;
    level.w = (w + (1 << l) - 1) >> l;
    level.stride_x = level.stride_y = s;
    level.cell[0] = {-2 * s, -2 * s, 2 * s, 2 * s};
    level.cell[1] = {-3 * s, -1.5f * s, 3 * s, 1.5f * s};
    level.cell[2] = {-1.5f * s, -3 * s, 1.5f * s, 3 * s};
  }
  return grid;
}

inline std::vector<std::int64_t> pixels_of(const AnchorGrid& grid) {
  std::vector<std::int64_t> pixels;
  for (int l = 0; l < grid.levels; ++l) pixels.push_back(std::int64_t{grid.level[l].h} * grid.level[l].w);
  return pixels;
}

}  // namespace diopter::test
