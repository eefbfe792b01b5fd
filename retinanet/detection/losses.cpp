#include "retinanet/detection/losses.h"

#include "kernels/detection/weighting/class_focusing.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/reduce.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

void check_head(const Pyramid& head, int channels, const AnchorTargets& targets, const Tensor& scale) {
  const AnchorGrid& grid = targets.grid;
  bool fits = head.levels.count == grid.levels && head.channels() >= grid.cells * channels;
  for (int l = 0; fits && l < grid.levels; ++l) {
    fits = head.levels.level[l] == LevelShape{targets.images(), grid.level[l].h, grid.level[l].w};
  }
  DIOPTER_CHECK(fits, "a head of ", head.rows.shape().str(), " does not fit ", targets.images(), " images of ",
                grid.size(), " anchors with ", channels, " values each");
  DIOPTER_CHECK(scale.size() == targets.images(), scale.size(), " scales for ", targets.images(), " images");
}

/// The fused loss as an operation on the first `values` channels: `run(gradient, losses)` calls the kernel; gradient is
/// undefined in inference.
template <class Run>
Variable fused_loss(const char* name, const Pyramid& head, int values, const Tensor& scale, Run run) {
  const Tensor x = head.rows.value();
  Tensor gradient;
  if (is_recorded({head.rows})) {
    gradient = Tensor::empty(x.shape(), x.dtype(), x.device());
    if (head.channels() > values) gradient.zero();  // kernels do not touch padded channels
  }
  const Tensor losses = Tensor::empty(scale.shape(), DType::f32, x.device());
  run(gradient, losses);
  const Tensor total = Tensor::empty({1}, DType::f32, x.device());
  DIOPTER_DISPATCH(x.device(), dot, losses.size(), losses.data<float>(), scale.data<float>(), total.data<float>());

  return record_loss(name, {head.rows}, total, [dx = head.rows.gradient(), gradient](const Tensor& dy) {
    if (!dy.defined()) {
      dx->accumulate(gradient);
      return;
    }
    const Tensor scaled = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
    with_dtype(gradient.dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(gradient.device(), scale, gradient.size(), dy.data<float>(), gradient.data<T>(),
                       scaled.data<T>());
    });
    dx->accumulate(scaled);
  });
}

}  // namespace

Variable scaled(const Variable& loss, const Tensor& factor) {
  const auto product = [factor](const Tensor& x) {
    const Tensor y = Tensor::empty({1}, DType::f32, x.device());
    DIOPTER_DISPATCH(x.device(), scale, 1, factor.data<float>(), x.data<float>(), y.data<float>());
    return y;
  };
  return record("scaled", {loss}, product(loss.value()),
                [dx = loss.gradient(), product](const Tensor& dy) { dx->accumulate(product(dy)); });
}

GroundTruth AnchorTargets::truth() const {
  return {images(), static_cast<std::int32_t>(box_labels.size()), boxes.data<float>(), box_labels.data<std::int32_t>(),
          offsets.data<std::int32_t>()};
}

AnchorTargets match_anchors(const AnchorGrid& grid, const Tensor& boxes, const Tensor& box_labels,
                            const Tensor& offsets, const MatchRule& rule) {
  AnchorTargets targets{grid, boxes, box_labels, offsets, {}, {}, {}};
  const int images = targets.images();
  targets.labels = Tensor::empty({images, grid.size()}, DType::i32, boxes.device());
  targets.matches = Tensor::empty({images, grid.size()}, DType::i32, boxes.device());
  targets.positives = Tensor::empty({images}, DType::i32, boxes.device());
  DIOPTER_DISPATCH(boxes.device(), match_anchors,
                   MatchArgs{.grid = grid,
                             .truth = targets.truth(),
                             .rule = rule,
                             .labels = targets.labels.data<std::int32_t>(),
                             .matches = targets.matches.data<std::int32_t>(),
                             .positives = targets.positives.data<std::int32_t>()});
  return targets;
}

Variable classification_loss(const Pyramid& logits, int classes, const AnchorTargets& targets, const Tensor& scale,
                             const AnyLoss& loss, const LossTables& tables) {
  check_head(logits, classes, targets, scale);
  const int values = targets.grid.cells * classes;
  const auto table = [](const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; };
  return fused_loss("classification_loss", logits, values, scale, [&](const Tensor& gradient, const Tensor& losses) {
    with_dtype(logits.rows.value().dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(
          scale.device(), classification_loss,
          ClassificationLossArgs<T>{.logits = head_levels<T>(logits, gradient, targets.grid.cells, classes),
                                    .labels = targets.labels.data<std::int32_t>(),
                                    .scale = scale.data<float>(),
                                    .losses = losses.data<float>(),
                                    .qualities = table(tables.qualities),
                                    .class_weights = table(tables.class_weights),
                                    .density_weights = table(tables.density_weights),
                                    .class_focusing = table(tables.class_focusing)},
          loss);
      if (!tables.class_gradients.defined() || !gradient.defined()) return;
      DIOPTER_DISPATCH(scale.device(), class_gradients,
                       ClassGradientsArgs<T>{.gradients = head_levels<T>(logits, gradient, targets.grid.cells, classes),
                                             .labels = targets.labels.data<std::int32_t>(),
                                             .sums = tables.class_gradients.data<float>()});
    });
  });
}

Variable box_loss(const Pyramid& deltas, const AnchorTargets& targets, const Tensor& scale,
                  const BoxLossParams& params) {
  check_head(deltas, 4, targets, scale);
  const int values = targets.grid.cells * 4;
  return fused_loss("box_loss", deltas, values, scale, [&](const Tensor& gradient, const Tensor& losses) {
    with_dtype(deltas.rows.value().dtype(), [&](auto t) {
      using T = decltype(t);
      DIOPTER_DISPATCH(scale.device(), box_loss,
                       BoxLossArgs<T>{.kind = params.kind,
                                      .beta = params.beta,
                                      .coder = params.coder,
                                      .grid = targets.grid,
                                      .truth = targets.truth(),
                                      .deltas = head_levels<T>(deltas, gradient, targets.grid.cells, 4),
                                      .labels = targets.labels.data<std::int32_t>(),
                                      .matches = targets.matches.data<std::int32_t>(),
                                      .scale = scale.data<float>(),
                                      .losses = losses.data<float>(),
                                      .ious = params.ious.defined() ? params.ious.data<float>() : nullptr});
    });
  });
}

}  // namespace diopter
