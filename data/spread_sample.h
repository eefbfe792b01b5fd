// Samples of a data set that stand for all of it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "data/dataset.h"

namespace diopter {

/// Up to `most` pictures, spread evenly over the set, with all their annotations.
inline Dataset spread_sample(const Dataset& dataset, std::int64_t most) {
  const std::int64_t count = static_cast<std::int64_t>(dataset.images.size()), taken = std::min(count, most);
  Dataset sample{dataset.categories, {}, {}};
  for (std::int64_t i = 0; i < taken; ++i) sample.images.push_back(dataset.images[i * count / taken]);
  return sample;
}

}  // namespace diopter
