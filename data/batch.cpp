#include "data/batch.h"

#include <algorithm>

#include "kernels/base/check.h"

namespace diopter {

namespace {

void collate_pixels(const std::vector<Sample>& samples, Batch& batch) {
  const std::size_t stride = std::size_t{3} * batch.width;
  batch.pixels.resize(stride * batch.height * samples.size());
  float* row = batch.pixels.data();
  for (const Sample& s : samples) {
    for (int y = 0; y < s.height; ++y) {
      std::copy_n(&s.pixels[std::size_t{3} * s.width * y], std::size_t{3} * s.width, row + stride * y);
    }
    row += stride * batch.height;
  }
}

void collate_bytes(const std::vector<Sample>& samples, Batch& batch) {
  for (const Sample& s : samples) {
    batch.pictures.push_back(s.picture);
    batch.pictures.back().offset = static_cast<std::int64_t>(batch.bytes.size());
    batch.bytes.insert(batch.bytes.end(), s.bytes.begin(), s.bytes.end());
  }
}

}  // namespace

Batch collate(const std::vector<Sample>& samples, int divisor) {
  DIOPTER_CHECK(divisor >= 1, "divisor of the input size is ", divisor, ", must be at least 1");
  Batch batch;
  batch.images = static_cast<int>(samples.size());
  for (const Sample& s : samples) {
    batch.width = std::max(batch.width, s.width);
    batch.height = std::max(batch.height, s.height);
  }
  batch.width = (batch.width + divisor - 1) / divisor * divisor;
  batch.height = (batch.height + divisor - 1) / divisor * divisor;

  if (samples.empty() || samples[0].bytes.empty()) {
    collate_pixels(samples, batch);
  } else {
    collate_bytes(samples, batch);
  }
  batch.offsets.push_back(0);
  for (const Sample& s : samples) {
    for (const auto& [box, label] : s.targets) {
      batch.boxes.insert(batch.boxes.end(), {box.x1, box.y1, box.x2, box.y2});
      batch.labels.push_back(label);
    }
    batch.offsets.push_back(static_cast<std::int32_t>(batch.labels.size()));
    batch.sizes.insert(batch.sizes.end(), {static_cast<float>(s.width), static_cast<float>(s.height)});
    batch.original_sizes.insert(batch.original_sizes.end(),
                                {static_cast<float>(s.original_width), static_cast<float>(s.original_height)});
    batch.image_ids.push_back(s.image_id);
    batch.views.push_back(s.view);
  }
  return batch;
}

}  // namespace diopter
