// Small data sets without pictures, for tests.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/base/philox.h"

namespace diopter::test {

/// A picture named NAME.png of the given size with boxes of class 0, numbered from 1.
inline ImageRecord annotated(const std::string& name, int width, int height, const std::vector<Rect>& rects) {
  ImageRecord record{1, name + ".png", name + ".png", width, height, {}};
  for (const Rect& r : rects) {
    record.annotations.push_back({static_cast<std::int64_t>(record.annotations.size()) + 1, 0, r, r.w * r.h});
  }
  return record;
}

/// `count` boxes inside width x height; sides are `shortest` to `longest` pixels, height / width about `ratio`.
inline std::vector<Rect> random_rects(int count, int width, int height, float shortest, float longest, float ratio,
                                      std::uint64_t seed) {
  Philox random(seed, 0);
  std::vector<Rect> rects;
  for (int i = 0; i < count; ++i) {
    const double w = random.uniform(shortest, longest), h = w * ratio * random.uniform(0.9f, 1.1f);
    rects.push_back({random.uniform() * (width - w), random.uniform() * (height - h), w, h});
  }
  return rects;
}

}  // namespace diopter::test
