#include "retinanet/detection/targets.h"

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// What selected anchors are counted over: the moving average is of the positives and does not fit them.
LossNormaliser normaliser_of_selected(LossNormaliser of_positives) {
  switch (of_positives) {
    case LossNormaliser::image: return LossNormaliser::image;
    case LossNormaliser::batch:
    case LossNormaliser::ema: return LossNormaliser::batch;
  }
  fail("no such loss.normaliser");
}

Tensor weighted(const Tensor& scale, double weight) {
  const Tensor factor = Tensor::full({1}, static_cast<float>(weight), scale.device());
  const Tensor result = Tensor::empty(scale.shape(), DType::f32, scale.device());
  DIOPTER_DISPATCH(scale.device(), scale, scale.size(), factor.data<float>(), scale.data<float>(),
                   result.data<float>());
  return result;
}

}  // namespace

AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const TruthTensors& truth) {
  const ProfiledScope phase("targets");
  const MatchRule rule{static_cast<float>(config.match.foreground_iou),
                       static_cast<float>(config.match.background_iou),
                       config.match.low_quality,
                       static_cast<float>(config.match.ignore_overlap),
                       config.match.rule,
                       config.match.candidates};
  return match_anchors(grid, truth.boxes, truth.labels, truth.offsets, rule);
}

AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const Batch& batch, Device device) {
  const std::int64_t boxes = static_cast<std::int64_t>(batch.labels.size());
  return make_targets(
      config, grid,
      TruthTensors{Tensor::from({boxes, 4}, batch.boxes, device), Tensor::from({boxes}, batch.labels, device),
                   Tensor::from({batch.images + 1}, batch.offsets, device)});
}

Normaliser::Normaliser(const Config::Loss& rule, Device device)
    : rule_(rule.normaliser),
      momentum_(static_cast<float>(rule.ema_momentum)),
      average_(Tensor::full({1}, static_cast<float>(rule.ema_start), device)),
      positives_(Tensor::zeros({1}, DType::f32, device)) {}

Tensor Normaliser::scale(const Tensor& positives) {
  DIOPTER_CHECK(positives.device() == average_.device(), "the normaliser and the targets are on different devices");
  const Tensor scale = Tensor::empty(positives.shape(), DType::f32, average_.device());
  DIOPTER_DISPATCH(average_.device(), loss_scale,
                   LossScaleArgs{.normaliser = rule_,
                                 .momentum = momentum_,
                                 .images = static_cast<int>(scale.size()),
                                 .positives = positives.data<std::int32_t>(),
                                 .average = average_.data<float>(),
                                 .scale = scale.data<float>(),
                                 .total = positives_.data<float>()});
  return scale;
}

void Normaliser::set_average(double average) {
  const float value = static_cast<float>(average);
  average_.copy_from_host(&value);
}

LossState::LossState(const Config::Loss& loss, int classes, Device device) {
  const std::vector<float> weights = diopter::class_weights(loss.class_weights, classes);
  if (!weights.empty()) class_weights = Tensor::from({classes}, weights, device);
  if (const std::optional<GradientDensityRule> rule = gradient_density_rule(loss.kind)) {
    density_averages = Tensor::zeros({rule->bins}, DType::f32, device);
  }
  if (class_focusing_rule(loss.kind)) class_gradients = Tensor::zeros({2, classes}, DType::f32, device);
}

std::map<std::string, std::vector<float>> LossState::memory() const {
  std::map<std::string, std::vector<float>> memory;
  for_each_memory([&](const char* name, const Tensor& tensor) { memory[name] = tensor.to_vector<float>(); });
  return memory;
}

void LossState::set_memory(const std::map<std::string, std::vector<float>>& memory) {
  for_each_memory([&](const char* name, const Tensor& tensor) {
    const auto kept = memory.find(name);
    const bool fits = kept != memory.end() && std::ssize(kept->second) == tensor.size();
    if (fits) tensor.copy_from_host(kept->second.data());
  });
}

Tensor gradient_counts(const AnyLoss& loss, const Pyramid& logits, int classes, const AnchorTargets& targets) {
  const std::optional<GradientDensityRule> rule = gradient_density_rule(loss);
  if (!rule) return {};
  const Device device = targets.labels.device();
  const Tensor counts = Tensor::empty({rule->bins}, DType::i32, device);
  with_dtype(logits.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, gradient_histogram,
                     GradientHistogramArgs<T>{.logits = head_levels<T>(logits, Tensor(), targets.grid.cells, classes),
                                              .labels = targets.labels.data<std::int32_t>(),
                                              .counts = counts.data<std::int32_t>()},
                     loss);
  });
  return counts;
}

Tensor density_weights(const AnyLoss& loss, const Tensor& counts, const Tensor& averages) {
  const std::optional<GradientDensityRule> rule = gradient_density_rule(loss);
  if (!rule) return {};
  const Tensor weights = Tensor::empty({rule->bins}, DType::f32, averages.device());
  DIOPTER_DISPATCH(averages.device(), density_weights,
                   DensityWeightsArgs{.rule = *rule,
                                      .counts = counts.data<std::int32_t>(),
                                      .averages = averages.data<float>(),
                                      .weights = weights.data<float>()});
  return weights;
}

Tensor class_focusing(const AnyLoss& loss, const Tensor& class_gradients) {
  const std::optional<ClassFocusingRule> rule = class_focusing_rule(loss);
  if (!rule) return {};
  const std::int64_t classes = class_gradients.shape()[1];
  const Tensor more = Tensor::empty({classes}, DType::f32, class_gradients.device());
  DIOPTER_DISPATCH(more.device(), class_focusing,
                   ClassFocusingArgs{.rule = *rule,
                                     .classes = static_cast<int>(classes),
                                     .sums = class_gradients.data<float>(),
                                     .more = more.data<float>()});
  return more;
}

Tensor scale_of_selected(LossNormaliser normaliser, const Tensor& selected) {
  const Device device = selected.device();
  const Tensor result = Tensor::empty(selected.shape(), DType::f32, device),
               total = Tensor::empty({1}, DType::f32, device);
  DIOPTER_DISPATCH(device, loss_scale,
                   LossScaleArgs{.normaliser = normaliser_of_selected(normaliser),
                                 .momentum = 0,
                                 .images = static_cast<int>(selected.size()),
                                 .positives = selected.data<std::int32_t>(),
                                 .average = nullptr,
                                 .scale = result.data<float>(),
                                 .total = total.data<float>()});
  return result;
}

Tensor guided_weight(const Tensor& classification, const Tensor& box) {
  const Tensor factor = Tensor::empty({1}, DType::f32, box.device());
  DIOPTER_DISPATCH(
      box.device(), guided_scale,
      GuidedScaleArgs{
          .classification = classification.data<float>(), .box = box.data<float>(), .factor = factor.data<float>()});
  return factor;
}

ClassificationTargets classification_targets(const Config& config, int classes, const Pyramid& logits,
                                             const Pyramid& deltas, const AnchorTargets& targets, const Tensor& scale,
                                             const LossState& state, const WholeBatch& whole) {
  const std::optional<HardExampleRule> rule = hard_example_rule(config.loss.kind);
  if (gradient_density_rule(config.loss.kind)) return {targets, Tensor::full(scale.shape(), 1, scale.device())};
  if (!rule) return {targets, scale};
  const HardExamples hard =
      hard_examples(logits, deltas, classes, targets, config.loss.kind, *rule, state.class_weights);
  return {hard.targets, whole.selected_scale.defined() ? whole.selected_scale
                                                       : scale_of_selected(config.loss.normaliser, hard.selected)};
}

Losses detection_losses(const Config& config, int classes, const Pyramid& logits, const Pyramid& deltas,
                        const AnchorTargets& targets, const Tensor& scale, const LossState& state,
                        const WholeBatch& whole) {
  const ProfiledScope phase("loss");
  DIOPTER_CHECK(state.class_weights.defined() == (config.loss.class_weights.rule != ClassWeightRule::none),
                "loss.class_weights of the configuration are not those that the loss is computed with");
  const std::optional<GradientDensityRule> density = gradient_density_rule(config.loss.kind);
  DIOPTER_CHECK(state.density_averages.defined() == density.has_value() &&
                    (!density || state.density_averages.size() == density->bins),
                "the averages of gradient densities are not those of the loss ", loss_name(config.loss.kind));
  DIOPTER_CHECK(state.class_gradients.defined() == class_focusing_rule(config.loss.kind).has_value(),
                "the gradients of classes are not those of the loss ", loss_name(config.loss.kind));
  Losses losses;
  if (has_soft_targets(config.loss.kind)) {
    losses.qualities = Tensor::empty(targets.labels.shape(), DType::f32, scale.device());
  }
  losses.box = box_loss(deltas, targets, weighted(scale, config.loss.box_weight),
                        {config.loss.box, static_cast<float>(config.loss.smooth_l1_beta), {}, losses.qualities});
  const ClassificationTargets classification =
      classification_targets(config, classes, logits, deltas, targets, scale, state, whole);
  const bool guided = config.loss.classification_weight == kGuidedWeight;
  const Tensor classification_scale =
      guided ? classification.scale : weighted(classification.scale, config.loss.classification_weight);
  const Tensor densities =
      whole.density_weights.defined()
          ? whole.density_weights
          : density_weights(config.loss.kind,
                            gradient_counts(config.loss.kind, logits, classes, classification.anchors),
                            state.density_averages);
  const Tensor focusing =
      whole.class_focusing.defined() ? whole.class_focusing : class_focusing(config.loss.kind, state.class_gradients);
  if (focusing.defined() && is_recorded({logits.rows})) {
    losses.class_gradients = Tensor::empty({2, classes}, DType::f32, scale.device());
  }
  losses.classification =
      classification_loss(logits, classes, classification.anchors, classification_scale, config.loss.kind,
                          {losses.qualities, state.class_weights, densities, focusing, losses.class_gradients});
  if (guided) {
    losses.classification_weight = whole.classification_weight.defined()
                                       ? whole.classification_weight
                                       : guided_weight(losses.classification.value(), losses.box.value());
    losses.classification = scaled(losses.classification, losses.classification_weight);
  }
  return losses;
}

}  // namespace diopter
