// Losses of logits and boxes with a target each, and overlaps, of the C interface.
#include <cmath>

#include "kernels/detection/pairs/box_pairs.h"
#include "kernels/detection/pairs/elementwise_loss.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"
#include "retinanet/c_api/loss_names.h"

namespace diopter::c_api {

namespace {

void elementwise_loss(const char* loss_text, const diopter_tensor* inputs, const diopter_tensor* targets, float scale,
                      const diopter_tensor* losses, const diopter_tensor* sum, const diopter_tensor* gradient,
                      void* stream) {
  const AnyLoss loss = classification_loss_of(loss_text);
  require(std::isfinite(scale), "scale: is ", scale, ", must be finite");
  Arrays arrays;
  const void* values = arrays.get("inputs", inputs, {kElementType<float>, kElementType<bf16>}, {kAny});
  const std::int64_t n = inputs->shape[0];
  with_element_type(*inputs, [&](auto t) {
    using T = decltype(t);
    const ElementwiseLossArgs<T> args{.n = n,
                                      .logits = static_cast<const T*>(values),
                                      .targets = arrays.get<float>("targets", targets, {n}),
                                      .scale = scale,
                                      .losses = arrays.get_optional<float>("losses", losses, {n}),
                                      .sum = arrays.get_optional<float>("sum", sum, {1}),
                                      .gradient = arrays.get_optional<T>("gradient", gradient, {n})};
    const auto on_stream = arrays.on_stream(stream);
    DIOPTER_DISPATCH(arrays.device(), elementwise_loss, args, loss);
  });
}

void box_pair_loss(const char* loss, float epsilon, const diopter_tensor* boxes1, const diopter_tensor* boxes2,
                   const diopter_tensor* losses, const diopter_tensor* gradient, void* stream) {
  const BoxLoss kind = box_loss_of(loss);
  require(kind == BoxLoss::giou || kind == BoxLoss::diou || kind == BoxLoss::ciou, "loss: is ", loss,
          ", which is one of anchors, must be giou, diou or ciou");
  require(epsilon > 0 && std::isfinite(epsilon), "epsilon: is ", epsilon, ", must be finite and positive");
  Arrays arrays;
  const float* corners = arrays.get<float>("boxes1", boxes1, {kAny, 4});
  const std::int64_t n = boxes1->shape[0];
  const BoxPairLossArgs args{.kind = kind,
                             .epsilon = epsilon,
                             .n = n,
                             .boxes = corners,
                             .targets = arrays.get<float>("boxes2", boxes2, {n, 4}),
                             .losses = arrays.get<float>("losses", losses, {n}),
                             .gradient = arrays.get_optional<float>("gradient", gradient, {n, 4})};
  const auto on_stream = arrays.on_stream(stream);
  DIOPTER_DISPATCH(arrays.device(), box_pair_loss, args);
}

void box_iou(const diopter_tensor* boxes1, const diopter_tensor* boxes2, const diopter_tensor* ious, void* stream) {
  Arrays arrays;
  const float* first = arrays.get<float>("boxes1", boxes1, {kAny, 4});
  const float* second = arrays.get<float>("boxes2", boxes2, {kAny, 4});
  const std::int64_t rows = boxes1->shape[0], columns = boxes2->shape[0];
  const PairwiseIouArgs args{.rows = rows,
                             .columns = columns,
                             .boxes1 = first,
                             .boxes2 = second,
                             .ious = arrays.get<float>("ious", ious, {rows, columns})};
  const auto on_stream = arrays.on_stream(stream);
  DIOPTER_DISPATCH(arrays.device(), pairwise_iou, args);
}

}  // namespace

}  // namespace diopter::c_api

using diopter::c_api::guarded;

int diopter_elementwise_loss(const char* loss, const diopter_tensor* inputs, const diopter_tensor* targets, float scale,
                             const diopter_tensor* losses, const diopter_tensor* sum, const diopter_tensor* gradient,
                             void* stream) {
  return guarded(
      __func__, [&] { diopter::c_api::elementwise_loss(loss, inputs, targets, scale, losses, sum, gradient, stream); });
}

int diopter_box_pair_loss(const char* loss, float epsilon, const diopter_tensor* boxes1, const diopter_tensor* boxes2,
                          const diopter_tensor* losses, const diopter_tensor* gradient, void* stream) {
  return guarded(__func__,
                 [&] { diopter::c_api::box_pair_loss(loss, epsilon, boxes1, boxes2, losses, gradient, stream); });
}

int diopter_box_iou(const diopter_tensor* boxes1, const diopter_tensor* boxes2, const diopter_tensor* ious,
                    void* stream) {
  return guarded(__func__, [&] { diopter::c_api::box_iou(boxes1, boxes2, ious, stream); });
}
