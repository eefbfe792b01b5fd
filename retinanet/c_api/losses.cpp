// Losses of anchors and anchor matching of the C interface.
#include <cmath>

#include "engine/tensor.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/classification_loss.h"
#include "kernels/detection/match.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/c_api/anchor_grid.h"
#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"
#include "retinanet/c_api/loss_names.h"

namespace diopter::c_api {

namespace {

void check_share(const char* name, float value) {
  require(value >= 0 && value <= 1, name, ": is ", value, ", must be from 0 to 1");
}

MatchRule match_rule(const diopter_match_rule* rule) {
  if (!rule) return {};
  check_struct_size("rule", rule->struct_size, sizeof *rule, sizeof *rule);
  check_share("rule->foreground_iou", rule->foreground_iou);
  check_share("rule->background_iou", rule->background_iou);
  require(rule->background_iou <= rule->foreground_iou, "rule->background_iou: is ", rule->background_iou,
          ", must be at most foreground_iou, ", rule->foreground_iou);
  require(rule->low_quality == 0 || rule->low_quality == 1, "rule->low_quality: is ", rule->low_quality,
          ", must be 0 or 1");
  check_share("rule->ignore_overlap", rule->ignore_overlap);
  return {rule->foreground_iou, rule->background_iou, rule->low_quality == 1, rule->ignore_overlap};
}

/// What the gradient of each image is multiplied by: the caller's, or ones.
class ImageScale {
 public:
  ImageScale(Arrays& arrays, const diopter_tensor* scale, int images)
      : scale_(arrays.get_optional<float>("scale", scale, {images})), images_(images), device_(arrays.device()) {}
  /// To be called on the caller's stream.
  const float* data() {
    if (scale_) return scale_;
    ones_ = Tensor::full({images_}, 1.0f, device_);
    return ones_.data<float>();
  }

 private:
  const float* scale_;
  int images_;
  Device device_;
  Tensor ones_;
};

/// Throws BadArgument for offsets on the host that do not part `total` boxes.
void check_offsets(const Arrays& arrays, const std::int32_t* offsets, int images, int total) {
  if (!arrays.on_cpu()) return;
  require(offsets[0] == 0, "offsets: begin with ", offsets[0], ", must begin with 0");
  for (int i = 0; i < images; ++i) {
    require(offsets[i] <= offsets[i + 1] && offsets[i + 1] <= total, "offsets: of image ", i, " are ", offsets[i],
            " and ", offsets[i + 1], ", must rise, to at most ", total, ", the number of boxes");
  }
}

/// Throws BadArgument for an anchor on the host with a class whose match is no box of its image.
void check_matches(const Arrays& arrays, const std::int32_t* labels, const std::int32_t* matches,
                   const std::int32_t* offsets, int images, std::int64_t anchors) {
  if (!arrays.on_cpu()) return;
  for (int image = 0; image < images; ++image) {
    const std::int32_t boxes = offsets[image + 1] - offsets[image];
    for (std::int64_t i = image * anchors; i < (image + 1) * anchors; ++i) {
      if (labels[i] < 0) continue;
      require(matches[i] >= 0 && matches[i] < boxes, "matches: anchor ", i - image * anchors, " of image ", image,
              " has box ", matches[i], ", the image has ", boxes);
    }
  }
}

void classification_loss(const char* loss_text, const diopter_tensor* logits, const diopter_tensor* labels,
                         const diopter_tensor* qualities, const diopter_tensor* scale, const diopter_tensor* losses,
                         const diopter_tensor* gradient, void* stream) {
  const AnyLoss loss = classification_loss_of(loss_text);
  Arrays arrays;
  const void* values = arrays.get("logits", logits, {kElementType<float>, kElementType<bf16>}, {kAny, kAny, kAny});
  const int images = as_int(logits->shape[0], "images"), classes = as_int(logits->shape[2], "classes");
  const std::int64_t anchors = logits->shape[1];
  require(classes >= 1, "logits: have no classes, must have at least 1");
  with_element_type(*logits, [&](auto t) {
    using T = decltype(t);
    ClassificationLossArgs<T> args{
        .logits = {.count = 1, .images = images, .cells = 1, .channels = classes, .level = {}},
        .labels = arrays.get<std::int32_t>("labels", labels, {images, anchors}),
        .scale = nullptr,
        .losses = arrays.get<float>("losses", losses, {images}),
        .qualities = arrays.get_optional<float>("qualities", qualities, {images, anchors})};
    args.logits.level[0] = {static_cast<const T*>(values),
                            arrays.get_optional<T>("gradient", gradient, {images, anchors, classes}), anchors, classes};
    ImageScale image_scale(arrays, scale, images);
    require(!args.qualities || has_soft_targets(loss), "qualities: ", loss_name(loss),
            " has no soft targets, must be null");
    if (images == 0) return;
    const auto on_stream = arrays.on_stream(stream);
    if (anchors == 0) {
      DIOPTER_DISPATCH(arrays.device(), zero, args.losses, static_cast<std::size_t>(images) * sizeof(float));
      return;
    }
    if (gradient) args.scale = image_scale.data();
    DIOPTER_DISPATCH(arrays.device(), classification_loss, args, loss);
  });
}

void anchors(const diopter_anchor_grid* grid, const diopter_tensor* boxes, void* stream) {
  const AnchorGrid all = anchor_grid(grid);
  Arrays arrays;
  float* out = arrays.get<float>("boxes", boxes, {all.size(), 4});
  const auto on_stream = arrays.on_stream(stream);
  DIOPTER_DISPATCH(arrays.device(), generate_anchors, all, out);
}

void match_anchors(const diopter_anchor_grid* grid, const diopter_match_rule* rule, const diopter_tensor* boxes,
                   const diopter_tensor* box_labels, const diopter_tensor* offsets, const diopter_tensor* labels,
                   const diopter_tensor* matches, const diopter_tensor* positives, void* stream) {
  MatchArgs args{
      .grid = anchor_grid(grid), .truth = {}, .rule = match_rule(rule), .labels = {}, .matches = {}, .positives = {}};
  const std::int64_t size = args.grid.size();
  Arrays arrays;
  args.truth.boxes = arrays.get<float>("boxes", boxes, {kAny, 4});
  args.truth.total = as_int(boxes->shape[0], "boxes");
  args.truth.labels = arrays.get<std::int32_t>("box_labels", box_labels, {args.truth.total});
  args.positives = arrays.get<std::int32_t>("positives", positives, {kAny});
  args.truth.images = as_int(positives->shape[0], "images");
  const int images = args.truth.images;
  args.truth.offsets = arrays.get<std::int32_t>("offsets", offsets, {std::int64_t{images} + 1});
  args.labels = arrays.get<std::int32_t>("labels", labels, {images, size});
  args.matches = arrays.get<std::int32_t>("matches", matches, {images, size});
  check_offsets(arrays, args.truth.offsets, images, args.truth.total);
  if (images == 0) return;
  const auto on_stream = arrays.on_stream(stream);
  DIOPTER_DISPATCH(arrays.device(), match_anchors, args);
}

void box_loss(const char* loss, float beta, const diopter_anchor_grid* grid, const diopter_tensor* deltas,
              const diopter_tensor* boxes, const diopter_tensor* offsets, const diopter_tensor* labels,
              const diopter_tensor* matches, const diopter_tensor* scale, const diopter_tensor* losses,
              const diopter_tensor* gradient, const diopter_tensor* ious, void* stream) {
  const BoxLoss kind = box_loss_of(loss);
  require(beta >= 0 && std::isfinite(beta), "beta: is ", beta, ", must be finite and not negative");
  const AnchorGrid all = anchor_grid(grid);
  const std::int64_t size = all.size();
  Arrays arrays;
  const void* values = arrays.get("deltas", deltas, {kElementType<float>, kElementType<bf16>}, {kAny, size, 4});
  const int images = as_int(deltas->shape[0], "images");
  const float* truth = arrays.get<float>("boxes", boxes, {kAny, 4});
  const int total = as_int(boxes->shape[0], "boxes");
  const auto* first = arrays.get<std::int32_t>("offsets", offsets, {std::int64_t{images} + 1});
  const auto* classes = arrays.get<std::int32_t>("labels", labels, {images, size});
  const auto* best = arrays.get<std::int32_t>("matches", matches, {images, size});
  float* sums = arrays.get<float>("losses", losses, {images});
  float* overlaps = arrays.get_optional<float>("ious", ious, {images, size});
  ImageScale image_scale(arrays, scale, images);
  check_offsets(arrays, first, images, total);
  check_matches(arrays, classes, best, first, images, size);
  with_element_type(*deltas, [&](auto t) {
    using T = decltype(t);
    T* slope = arrays.get_optional<T>("gradient", gradient, {images, size, 4});
    const auto on_stream = arrays.on_stream(stream);
    const float* scales = slope && images > 0 ? image_scale.data() : nullptr;
    // An image at a time: the kernel's levels have all images one after another, here an image has all levels.
    for (int image = 0; image < images; ++image) {
      BoxLossArgs<T> args{.kind = kind,
                          .beta = beta,
                          .coder = {},
                          .grid = all,
                          .truth = {1, total, truth, nullptr, first + image},
                          .deltas = {.count = all.levels, .images = 1, .cells = all.cells, .channels = 4, .level = {}},
                          .labels = classes + image * size,
                          .matches = best + image * size,
                          .scale = scales ? scales + image : nullptr,
                          .losses = sums + image,
                          .ious = overlaps ? overlaps + image * size : nullptr};
      for (int l = 0; l < all.levels; ++l) {
        const std::int64_t at = (image * size + all.level_offset(l)) * 4;
        args.deltas.level[l] = {static_cast<const T*>(values) + at, slope ? slope + at : nullptr,
                                std::int64_t{all.level[l].h} * all.level[l].w, std::int64_t{all.cells} * 4};
      }
      DIOPTER_DISPATCH(arrays.device(), box_loss, args);
    }
  });
}

}  // namespace

}  // namespace diopter::c_api

using diopter::c_api::guarded;

int diopter_classification_loss(const char* loss, const diopter_tensor* logits, const diopter_tensor* labels,
                                const diopter_tensor* qualities, const diopter_tensor* scale,
                                const diopter_tensor* losses, const diopter_tensor* gradient, void* stream) {
  return guarded(__func__, [&] {
    diopter::c_api::classification_loss(loss, logits, labels, qualities, scale, losses, gradient, stream);
  });
}

int diopter_anchors(const diopter_anchor_grid* grid, const diopter_tensor* boxes, void* stream) {
  return guarded(__func__, [&] { diopter::c_api::anchors(grid, boxes, stream); });
}

int diopter_match_anchors(const diopter_anchor_grid* grid, const diopter_match_rule* rule, const diopter_tensor* boxes,
                          const diopter_tensor* box_labels, const diopter_tensor* offsets, const diopter_tensor* labels,
                          const diopter_tensor* matches, const diopter_tensor* positives, void* stream) {
  return guarded(__func__, [&] {
    diopter::c_api::match_anchors(grid, rule, boxes, box_labels, offsets, labels, matches, positives, stream);
  });
}

int diopter_box_loss(const char* loss, float beta, const diopter_anchor_grid* grid, const diopter_tensor* deltas,
                     const diopter_tensor* boxes, const diopter_tensor* offsets, const diopter_tensor* labels,
                     const diopter_tensor* matches, const diopter_tensor* scale, const diopter_tensor* losses,
                     const diopter_tensor* gradient, const diopter_tensor* ious, void* stream) {
  return guarded(__func__, [&] {
    diopter::c_api::box_loss(loss, beta, grid, deltas, boxes, offsets, labels, matches, scale, losses, gradient, ious,
                             stream);
  });
}
