#include "data/shapes/colours.h"

#include <algorithm>
#include <cmath>

namespace diopter {

namespace {

Colour from_hsv(float hue, float saturation, float value) {
  Colour colour;
  for (int c = 0; c < 3; ++c) {
    const float k = std::fmod(6 * hue + static_cast<float>(5 - 2 * c), 6.0f);
    colour[c] = value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f));
  }
  return colour;
}

}  // namespace

Background::Background(Philox& random) {
  const float grey = random.uniform(0.2f, 0.75f);
  for (float& b : base_) b = grey + random.uniform(-0.07f, 0.07f);
  for (Colour& colour : corner_) {
    const float light = random.uniform(-0.13f, 0.13f);
    for (int c = 0; c < 3; ++c) colour[c] = std::clamp(base_[c] + light + random.uniform(-0.04f, 0.04f), 0.0f, 1.0f);
  }
}

Colour draw_colour(const Background& background, Philox& random) {
  Colour best{};
  float best_distance = -1;
  for (int attempt = 0; attempt < 8 && best_distance < 0.6f; ++attempt) {
    const float hue = random.uniform(), saturation = random.uniform(0.6f, 1), value = random.uniform(0.5f, 1);
    const Colour colour = from_hsv(hue, saturation, value);
    float distance = 0;
    for (int c = 0; c < 3; ++c) distance += std::fabs(colour[c] - background.base()[c]);
    if (distance > best_distance) {
      best = colour;
      best_distance = distance;
    }
  }
  return best;
}

Colour draw_named_colour(int name, Philox& random) {
  constexpr std::array<float, kColourNames.size()> kSixths = {0, 2, 4, 1, 5, 3};  // of the circle of hues
  constexpr float kSpread = 0.04f;                                                // half of that between two names
  const float hue = kSixths[name] / 6 + random.uniform(-kSpread, kSpread);
  const float saturation = random.uniform(0.75f, 1), value = random.uniform(0.7f, 1);
  return from_hsv(hue < 0 ? hue + 1 : hue, saturation, value);
}

}  // namespace diopter
