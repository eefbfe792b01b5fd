// Pictures and options for tests of augmentation.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "data/pictures/augment.h"

namespace diopter::test {

inline const Normalisation kRaw{.mean = {0, 0, 0}, .std = {1, 1, 1}, .divisor = 1, .bgr = false};

inline ResizeRule exact(int size) {
  return {.kind = ResizeRule::Kind::exact, .min_sizes = {}, .max_size = size, .round = false};
}

/// Rule that leaves a picture with this shorter side as it is.
inline ResizeRule keep(int shorter) {
  return {.kind = ResizeRule::Kind::shorter_side, .min_sizes = {shorter}, .max_size = 10000, .round = false};
}

/// No change at all; each test switches on what it is about.
inline AugmentOptions nothing() {
  AugmentOptions options;
  options.flip = 0;
  return options;
}

inline Annotation annotation(int category, Rect rect) {
  return {.id = 1, .category = category, .rect = rect, .area = rect.w * rect.h};
}

inline ImageRecord record_of(const Image& image, std::vector<Annotation> annotations) {
  return {.id = 7,
          .file = "",
          .name = "",
          .width = image.width,
          .height = image.height,
          .annotations = std::move(annotations)};
}

/// Every channel of every pixel different from its neighbours.
inline Image patterned(int width, int height) {
  Image image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i * 37 % 251);
  return image;
}

}  // namespace diopter::test
