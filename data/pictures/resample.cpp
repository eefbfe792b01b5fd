#include "data/pictures/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace diopter {

namespace {

constexpr int kFractionBits = 22;

/// Which input pixels an output pixel is made of, and with which weights.
struct Taps {
  int first;
  std::vector<std::int32_t> weights;  // 1 is 2^kFractionBits
};

std::vector<Taps> taps_of(int in, int out) {
  const double scale = static_cast<double>(in) / out, support = std::max(scale, 1.0), inverse = 1.0 / support;
  std::vector<Taps> all(out);
  std::vector<double> weights;
  for (int o = 0; o < out; ++o) {
    const double centre = (o + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(in, static_cast<int>(centre + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int i = first; i < end; ++i) {
      weights.push_back(std::max(0.0, 1.0 - std::fabs((i - centre + 0.5) * inverse)));
      sum += weights.back();
    }
    all[o].first = first;
    for (double w : weights) all[o].weights.push_back(static_cast<std::int32_t>(w / sum * (1 << kFractionBits) + 0.5));
  }
  return all;
}

std::uint8_t rounded(std::int64_t sum) {
  return static_cast<std::uint8_t>(std::min<std::int64_t>((sum + (1 << (kFractionBits - 1))) >> kFractionBits, 255));
}

}  // namespace

Image resample(const Image& image, int width, int height) {
  Image wide;
  wide.width = width;
  wide.height = image.height;
  wide.rgb.resize(std::size_t{3} * width * image.height);
  const std::vector<Taps> horizontal = taps_of(image.width, width), vertical = taps_of(image.height, height);
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* to = &wide.rgb[std::size_t{3} * width * y];
    for (const Taps& taps : horizontal) {
      const std::uint8_t* from = image.pixel(taps.first, y);
      std::int64_t sums[3] = {};
      for (std::int32_t w : taps.weights) {
        for (int c = 0; c < 3; ++c) sums[c] += std::int64_t{w} * *from++;
      }
      for (std::int64_t sum : sums) *to++ = rounded(sum);
    }
  }

  Image result;
  result.width = width;
  result.height = height;
  const std::size_t stride = std::size_t{3} * width;
  result.rgb.resize(stride * height);
  std::vector<std::int64_t> sums(stride);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 0);
    const std::uint8_t* from = wide.pixel(0, vertical[y].first);
    for (std::int32_t w : vertical[y].weights) {
      for (std::size_t i = 0; i < stride; ++i) sums[i] += std::int64_t{w} * from[i];
      from += stride;
    }
    for (std::size_t i = 0; i < stride; ++i) result.rgb[stride * y + i] = rounded(sums[i]);
  }
  return result;
}

}  // namespace diopter
