// What is recorded once for each size of batch: number, height and width of the pictures.
#pragma once

#include <array>
#include <map>

#include "engine/tensor.h"

namespace diopter {

/// Sizes that are recorded at most: each keeps the memory of its work.
inline constexpr int kMostBatchSizes = 16;

/// The first batch of a size runs kernel by kernel, which is when libraries choose what to run. From the second one on,
/// a size has a Recorded of its own.
template <class Recorded>
class ByBatchSize {
 public:
  /// For a batch of pictures [images, height, width, 3]; null when it is to run kernel by kernel.
  Recorded* find(const Shape& pictures) {
    const std::array<std::int64_t, 3> size{pictures[0], pictures[1], pictures[2]};
    const auto found = sizes_.find(size);
    if (found != sizes_.end()) return &found->second;
    if (sizes_.size() < kMostBatchSizes) {
      sizes_[size];
    } else {
      overflowed_ = true;
    }
    return nullptr;
  }
  /// Whether there was a size beyond the most.
  bool overflowed() const { return overflowed_; }

 private:
  std::map<std::array<std::int64_t, 3>, Recorded> sizes_;
  bool overflowed_ = false;
};

}  // namespace diopter
