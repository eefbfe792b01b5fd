// Top-k and non-maximum suppression of the C interface.
#include <cmath>
#include <vector>

#include "engine/tensor.h"
#include "kernels/detection/candidates/nms.h"
#include "kernels/detection/candidates/top_k.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"

namespace diopter::c_api {

namespace {

/// Queues what sets the n counts to 0.
void no_results(Device device, std::int32_t* counts, int n) {
  DIOPTER_DISPATCH(device, zero, counts, static_cast<std::size_t>(n) * sizeof *counts);
}

void top_k(const diopter_tensor* values, float min_value, const diopter_tensor* indices, const diopter_tensor* top,
           const diopter_tensor* counts, void* stream) {
  Arrays arrays;
  const void* all = arrays.get("values", values, {kElementType<float>, kElementType<bf16>}, {kAny, kAny});
  const int rows = as_int(values->shape[0], "rows"), n = as_int(values->shape[1], "values of a row");
  require(!std::isnan(min_value), "min_value: is NaN, must be a number");
  auto* places = arrays.get<std::int32_t>("indices", indices, {rows, kAny});
  const int k = as_int(indices->shape[1], "indices of a row");
  float* best = arrays.get<float>("top", top, {rows, k});
  auto* found = arrays.get<std::int32_t>("counts", counts, {rows});
  if (rows == 0) return;
  const auto on_stream = arrays.on_stream(stream);
  if (n == 0 || k == 0) return no_results(arrays.device(), found, rows);
  with_element_type(*values, [&](auto t) {
    using T = decltype(t);
    TopKArgs<T> args{.logits = {.count = 1, .images = rows, .cells = 1, .channels = 1, .level = {}},
                     .min_logit = min_value,
                     .k = k,
                     .indices = places,
                     .values = best,
                     .counts = found};
    args.logits.level[0] = {static_cast<const T*>(all), nullptr, n, 1};
    DIOPTER_DISPATCH(arrays.device(), top_k, args);
  });
}

/// Throws BadArgument for counts on the host that are not from 0 to `capacity`.
void check_counts(const Arrays& arrays, const std::int32_t* counts, int images, int capacity) {
  for (int i = 0; arrays.on_cpu() && i < images; ++i) {
    require(counts[i] >= 0 && counts[i] <= capacity, "counts: of image ", i, " is ", counts[i], ", must be from 0 to ",
            capacity);
  }
}

void batched_nms(const diopter_tensor* boxes, const diopter_tensor* scores, const diopter_tensor* labels,
                 const diopter_tensor* counts, float iou_threshold, const diopter_tensor* keep,
                 const diopter_tensor* kept, void* stream) {
  Arrays arrays;
  const float* corners = arrays.get<float>("boxes", boxes, {kAny, kAny, 4});
  const int images = as_int(boxes->shape[0], "images"), capacity = as_int(boxes->shape[1], "boxes");
  NmsArgs args{.images = images,
               .capacity = capacity,
               .boxes = corners,
               .scores = arrays.get<float>("scores", scores, {images, capacity}),
               .labels = arrays.get_optional<std::int32_t>("labels", labels, {images, capacity}),
               .counts = arrays.get_optional<std::int32_t>("counts", counts, {images}),
               .iou_threshold = iou_threshold,
               .class_aware = labels != nullptr,
               .max_kept = 0,
               .keep = arrays.get<std::int32_t>("keep", keep, {images, kAny}),
               .kept = arrays.get<std::int32_t>("kept", kept, {images})};
  args.max_kept = as_int(keep->shape[1], "boxes to keep");
  require(iou_threshold >= 0 && iou_threshold <= 1, "iou_threshold: is ", iou_threshold, ", must be from 0 to 1");
  if (args.counts) check_counts(arrays, args.counts, images, capacity);
  if (images == 0) return;
  const auto on_stream = arrays.on_stream(stream);
  if (capacity == 0 || args.max_kept == 0) return no_results(arrays.device(), args.kept, images);
  Tensor all;  // counts where none are given
  if (!args.counts) {
    all =
        Tensor::from({images}, std::vector<std::int32_t>(static_cast<std::size_t>(images), capacity), arrays.device());
    args.counts = all.data<std::int32_t>();
  }
  DIOPTER_DISPATCH(arrays.device(), batched_nms, args);
}

}  // namespace

}  // namespace diopter::c_api

using diopter::c_api::guarded;

int diopter_top_k(const diopter_tensor* values, float min_value, const diopter_tensor* indices,
                  const diopter_tensor* top, const diopter_tensor* counts, void* stream) {
  return guarded(__func__, [&] { diopter::c_api::top_k(values, min_value, indices, top, counts, stream); });
}

int diopter_batched_nms(const diopter_tensor* boxes, const diopter_tensor* scores, const diopter_tensor* labels,
                        const diopter_tensor* counts, float iou_threshold, const diopter_tensor* keep,
                        const diopter_tensor* kept, void* stream) {
  return guarded(
      __func__, [&] { diopter::c_api::batched_nms(boxes, scores, labels, counts, iou_threshold, keep, kept, stream); });
}
