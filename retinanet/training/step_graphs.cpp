#include "retinanet/training/step_graphs.h"

#include <algorithm>
#include <bit>

#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// Boxes of a picture that there is room for at first.
constexpr std::int64_t kBoxesPerImage = 32;

void copy_rows(const Tensor& to, const Tensor& from) { to.slice(0, from.shape()[0]).copy_from(from); }

}  // namespace

void StepGraphs::run(const Variable& images, const TruthTensors& truth) {
  Recorded* of_size = sizes_.find(images.shape());
  if (!of_size) {
    step_(images, truth);
    return;
  }
  Recorded& recorded = *of_size;
  const std::int64_t boxes = truth.labels.size();
  if (!recorded.work || recorded.truth.labels.size() < boxes) record(recorded, images.shape(), boxes);
  recorded.images.value().copy_from(images.value());
  copy_rows(recorded.truth.boxes, truth.boxes);
  copy_rows(recorded.truth.labels, truth.labels);
  recorded.truth.offsets.copy_from(truth.offsets);
  recorded.work();
}

void StepGraphs::record(Recorded& recorded, const Shape& images, std::int64_t boxes) {
  recorded = {};  // its memory is free for the next one
  const auto room =
      static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max(boxes, kBoxesPerImage * images[0]))));
  recorded.images = Variable(Tensor::empty(images, DType::f32, device_));
  recorded.truth = {Tensor::zeros({room, 4}, DType::f32, device_), Tensor::zeros({room}, DType::i32, device_),
                    Tensor::zeros({images[0] + 1}, DType::i32, device_)};
  recorded.work =
      DIOPTER_DISPATCH(device_, capture_graph, [this, &recorded] { step_(recorded.images, recorded.truth); });
  ++recorded_;
}

}  // namespace diopter
