#include "data/shapes/rich.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "data/shapes/pixels.h"
#include "data/shapes/shape.h"

namespace diopter {

namespace {

constexpr float kPi = std::numbers::pi_v<float>;

/// Random values from -1 to 1 at the corners of cells x cells squares over the picture, and smooth between them.
class Clouds {
 public:
  Clouds(int cells, Philox& random) : cells_(cells), values_(static_cast<std::size_t>(cells + 1) * (cells + 1)) {
    for (float& value : values_) value = random.uniform(-1, 1);
  }
  /// At (u, v), both from 0 to below 1.
  float at(float u, float v) const {
    const float x = u * static_cast<float>(cells_), y = v * static_cast<float>(cells_);
    const int column = static_cast<int>(x), row = static_cast<int>(y);
    const float right = smooth(x - static_cast<float>(column)), down = smooth(y - static_cast<float>(row));
    const float* upper = &values_[static_cast<std::size_t>(row) * (cells_ + 1) + column];
    const float* lower = upper + cells_ + 1;
    const float above = upper[0] + right * (upper[1] - upper[0]), below = lower[0] + right * (lower[1] - lower[0]);
    return above + down * (below - above);
  }

 private:
  static float smooth(float t) { return t * t * (3 - 2 * t); }

  int cells_;
  std::vector<float> values_;
};

/// Where clouds are thick, another colour.
struct Area {
  Clouds clouds;
  float threshold;
  Colour more;

  explicit Area(Philox& random)
      : clouds(2 + static_cast<int>(random.below(5)), random), threshold(random.uniform(-0.1f, 0.5f)) {
    const float light = random.uniform(-0.3f, 0.3f);
    for (float& m : more) m = light + random.uniform(-0.1f, 0.1f);
  }
};

/// Waves of light across the picture.
struct Stripes {
  float across, down, start, strength;

  explicit Stripes(Philox& random) {
    const float angle = random.uniform(0, kPi), number = random.uniform(3, 24);  // of waves
    across = 2 * kPi * number * std::cos(angle);
    down = 2 * kPi * number * std::sin(angle);
    start = random.uniform(0, 2 * kPi);
    strength = std::max(0.0f, random.uniform(-0.1f, 0.1f));  // none in half of the pictures
  }
  float at(float u, float v) const { return strength * std::sin(across * u + down * v + start); }
};

/// Every pixel becomes (1 2 1) / 4 of itself and its neighbours at a distance of `step` pixels in a row or column of
/// them that begins at `first`.
void blur_line(float* first, int pixels, std::ptrdiff_t step) {
  for (int c = 0; c < 3; ++c) {
    float before = first[c];
    for (int i = 0; i < pixels; ++i) {
      float& here = first[i * step + c];
      const float after = i + 1 < pixels ? first[(i + 1) * step + c] : here, old = here;
      here = 0.25f * (before + 2 * here + after);
      before = old;
    }
  }
}

}  // namespace

void add_patterns(int size, Philox& random, std::vector<float>& ground) {
  std::vector<Area> areas;
  for (int i = static_cast<int>(random.below(4)); i > 0; --i) areas.emplace_back(random);
  const Clouds clouds(3 + static_cast<int>(random.below(6)), random);
  const Clouds grain(size / 8 + static_cast<int>(random.below(size / 4)), random);
  const float cloudiness = random.uniform(0, 0.15f), graininess = random.uniform(0, 0.15f);
  const Stripes stripes(random);
  for_each_pixel(size, ground, [&](float* pixel, float u, float v) {
    const float light = cloudiness * clouds.at(u, v) + graininess * grain.at(u, v) + stripes.at(u, v);
    for (int c = 0; c < 3; ++c) pixel[c] += light;
    for (const Area& area : areas) {
      if (area.clouds.at(u, v) <= area.threshold) continue;
      for (int c = 0; c < 3; ++c) pixel[c] += area.more[c];
    }
    for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(pixel[c], 0.0f, 1.0f);
  });
}

void photograph(int size, Philox& random, std::vector<float>& rgb) {
  const float gain = random.uniform(0.7f, 1.2f), black = random.uniform(0, 0.15f);
  Colour tint;
  for (float& t : tint) t = gain * random.uniform(0.88f, 1.12f);
  const float angle = random.uniform(0, 2 * kPi), slope = random.uniform(0, 0.4f);
  const float across = slope * std::cos(angle), down = slope * std::sin(angle);
  const std::uint32_t blurs = random.below(3);
  for_each_pixel(size, rgb, [&](float* pixel, float u, float v) {
    const float light = 1 + across * (u - 0.5f) + down * (v - 0.5f);
    for (int c = 0; c < 3; ++c) pixel[c] = black + light * tint[c] * pixel[c];
  });
  for (std::uint32_t i = 0; i < blurs; ++i) {
    const std::ptrdiff_t row = std::ptrdiff_t{3} * size;
    for (int y = 0; y < size; ++y) blur_line(&rgb[y * row], size, 3);
    for (int x = 0; x < size; ++x) blur_line(&rgb[std::size_t{3} * x], size, row);
  }
}

}  // namespace diopter
