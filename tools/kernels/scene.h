// Inputs of the detection kernels, for their benchmarks: anchors, random boxes and head outputs of a batch.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"
#include "kernels/detection/head.h"
#include "kernels/detection/match.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/config/presets.h"
#include "retinanet/detection/anchors_for_levels.h"

namespace diopter {

/// Normal random numbers, the same each time.
template <class T>
Tensor normal_tensor(const Shape& shape, float mean, float deviation, Device device) {
  std::vector<T> values(static_cast<std::size_t>(shape.size()));
  parallel_for(shape.size(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    Philox random(1, static_cast<std::uint64_t>(begin));
    for (std::int64_t i = begin; i < end; ++i) values[i] = T(mean + deviation * random.normal());
  });
  return Tensor::from(shape, values, device);
}

/// Square pictures with the anchors of the paper and as many random boxes each, matched.
struct Scene {
  Device device;
  int images;
  Levels levels;
  AnchorGrid grid;
  Tensor boxes, classes, offsets;     // ground truth
  Tensor labels, matches, positives;  // as match_anchors leaves them

  Scene(int count, int side, int boxes_each, Device where, int number_of_classes = 80)
      : device(where),
        images(count),
        levels(pyramid_levels(preset("paper").model, count, side, side)),
        grid(anchors_for_levels(preset("paper"), levels, side, side)) {
    Philox random(2, 0);
    std::vector<float> corners;
    std::vector<std::int32_t> labels_of_boxes, begins{0};
    for (int image = 0; image < images; ++image) {
      for (int i = 0; i < boxes_each; ++i) {
        const float largest = static_cast<float>(side), w = largest * random.uniform(0.05f, 0.5f),
                    h = largest * random.uniform(0.05f, 0.5f);
        const float x = random.uniform(0, largest - w), y = random.uniform(0, largest - h);
        corners.insert(corners.end(), {x, y, x + w, y + h});
        labels_of_boxes.push_back(
            static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(number_of_classes))));
      }
      begins.push_back(static_cast<std::int32_t>(labels_of_boxes.size()));
    }
    boxes = Tensor::from({begins.back(), 4}, corners, device);
    classes = Tensor::from({begins.back()}, labels_of_boxes, device);
    offsets = Tensor::from({images + 1}, begins, device);
    labels = Tensor::empty({images, grid.size()}, DType::i32, device);
    matches = Tensor::empty({images, grid.size()}, DType::i32, device);
    positives = Tensor::empty({images}, DType::i32, device);
    match();
  }

  GroundTruth truth() const {
    return {.images = images,
            .total = static_cast<std::int32_t>(classes.size()),
            .boxes = boxes.data<float>(),
            .labels = classes.data<std::int32_t>(),
            .offsets = offsets.data<std::int32_t>()};
  }

  void match() const {
    const MatchArgs args{.grid = grid,
                         .truth = truth(),
                         .rule = {.low_quality = true},
                         .labels = labels.data<std::int32_t>(),
                         .matches = matches.data<std::int32_t>(),
                         .positives = positives.data<std::int32_t>()};
    DIOPTER_DISPATCH(device, match_anchors, args);
  }
};

/// Outputs of a head on all levels, normally distributed, and room for their gradient.
template <class T>
struct HeadOutput {
  Tensor values, gradient;
  HeadLevels<T> levels;  // points into them

  HeadOutput(const Levels& maps, int cells, int channels, float mean, float deviation, Device device)
      : values(normal_tensor<T>({maps.rows(), cells * channels}, mean, deviation, device)),
        gradient(Tensor::empty(values.shape(), values.dtype(), device)) {
    levels = {.count = maps.count, .images = maps.level[0].n, .cells = cells, .channels = channels};
    const std::int64_t stride = std::int64_t{cells} * channels;
    for (int l = 0; l < maps.count; ++l) {
      levels.level[l] = {.values = values.data<T>() + maps.offset(l) * stride,
                         .gradient = gradient.data<T>() + maps.offset(l) * stride,
                         .pixels = std::int64_t{maps.level[l].h} * maps.level[l].w,
                         .pixel_stride = stride};
    }
  }
};

}  // namespace diopter
