#include "retinanet/targets.h"

#include <algorithm>

namespace diopter {

namespace {

BoxLoss box_loss_kind(const std::string& name) {
  if (name == "smooth_l1") return BoxLoss::smooth_l1;
  if (name == "giou") return BoxLoss::giou;
  if (name == "diou") return BoxLoss::diou;
  return name == "ciou" ? BoxLoss::ciou : BoxLoss::l1;
}

Tensor weighted(const Tensor& scale, double weight) {
  std::vector<float> values = scale.to_vector<float>();
  for (float& v : values) v *= static_cast<float>(weight);
  return Tensor::from(scale.shape(), values, scale.device());
}

}  // namespace

Variable input_of(const Batch& batch, Device device) {
  return Variable(Tensor::from({batch.images, batch.height, batch.width, 3}, batch.pixels, device));
}

AnchorTargets make_targets(const Config& config, const AnchorGrid& grid, const Batch& batch, Device device) {
  const MatchRule rule{static_cast<float>(config.match.foreground_iou), static_cast<float>(config.match.background_iou),
                       config.match.low_quality, static_cast<float>(config.match.ignore_overlap)};
  const std::int64_t boxes = static_cast<std::int64_t>(batch.labels.size());
  return match_anchors(grid, Tensor::from({boxes, 4}, batch.boxes, device), Tensor::from({boxes}, batch.labels, device),
                       Tensor::from({batch.images + 1}, batch.offsets, device), rule);
}

Tensor Normaliser::scale(const AnchorTargets& targets) {
  const std::vector<std::int32_t> counts = targets.positives.to_vector<std::int32_t>();
  positives_ = 0;
  for (std::int32_t count : counts) positives_ += count;
  const double total = static_cast<double>(std::max<std::int64_t>(positives_, 1));
  if (rule_.normaliser == "ema") average_ = rule_.ema_momentum * average_ + (1 - rule_.ema_momentum) * total;

  std::vector<float> scale;
  for (std::int32_t count : counts) {
    const double divisor = rule_.normaliser == "image" ? static_cast<double>(std::max(count, 1)) * counts.size()
                           : rule_.normaliser == "batch" ? total
                                                         : average_;
    scale.push_back(static_cast<float>(1 / divisor));
  }
  return Tensor::from({static_cast<std::int64_t>(scale.size())}, scale, targets.positives.device());
}

Losses detection_losses(const Config& config, int classes, const Pyramid& logits, const Pyramid& deltas,
                        const AnchorTargets& targets, const Tensor& scale) {
  const FocalLoss focal{static_cast<float>(config.loss.gamma), static_cast<float>(config.loss.alpha)};
  const BoxLossParams params{box_loss_kind(config.loss.box), static_cast<float>(config.loss.beta), {}};
  return {classification_loss(logits, classes, targets, weighted(scale, config.loss.classification_weight), focal),
          box_loss(deltas, targets, weighted(scale, config.loss.box_weight), params)};
}

}  // namespace diopter
