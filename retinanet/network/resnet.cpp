#include "retinanet/network/resnet.h"

#include <string>

namespace diopter {

ResidualBlock::ResidualBlock(int in, int width, int out, int stride, bool bottleneck, const Config::Model& model,
                             InitRandom& random) {
  const NormKind kind = model.norm;
  const float eps = static_cast<float>(model.norm_eps);
  const auto layer = [&](int from, int to, int kernel, int step, bool last) {
    convs_.push_back(std::make_unique<Conv2d>(
        from, to,
        Conv2d::Options{.kernel = kernel, .stride = step, .bias = false, .init = Init::kaiming_normal_fan_out()},
        random));
    // A residual branch that starts at zero: deep group-norm networks train from the first step on.
    norms_.push_back(std::make_unique<Norm>(kind, to, model.groups, last && kind == NormKind::group, eps));
    const std::string number = std::to_string(convs_.size());
    add_module("conv" + number, *convs_.back());
    add_module("bn" + number, *norms_.back());
  };
  if (bottleneck) {
    layer(in, width, 1, model.stride_in_1x1 ? stride : 1, false);
    layer(width, width, 3, model.stride_in_1x1 ? 1 : stride, false);
    layer(width, out, 1, 1, true);
  } else {
    layer(in, width, 3, stride, false);
    layer(width, out, 3, 1, true);
  }
  if (stride != 1 || in != out) {
    shortcut_ = std::make_unique<Conv2d>(
        in, out, Conv2d::Options{.kernel = 1, .stride = stride, .bias = false, .init = Init::kaiming_normal_fan_out()},
        random);
    shortcut_norm_ = std::make_unique<Norm>(kind, out, model.groups, false, eps);
    add_module("downsample.0", *shortcut_);
    add_module("downsample.1", *shortcut_norm_);
  }
}

Variable ResidualBlock::operator()(const Variable& x) const {
  const Variable shortcut = shortcut_ ? conv_norm(*shortcut_, *shortcut_norm_, x, false) : x;
  Variable y = x;
  const std::size_t last = convs_.size() - 1;
  for (std::size_t i = 0; i < last; ++i) y = conv_norm(*convs_[i], *norms_[i], y, true);
  return conv_norm(*convs_[last], *norms_[last], y, true, shortcut);
}

ResNet::ResNet(const ResNetSpec& spec, const Config::Model& model, int last_level, InitRandom& random) {
  pool_ = !spec.small_stem;
  stem_ = std::make_unique<Conv2d>(
      3, spec.stem_width,
      Conv2d::Options{
          .kernel = spec.small_stem ? 3 : 7, .stride = 2, .bias = false, .init = Init::kaiming_normal_fan_out()},
      random);
  stem_norm_ =
      std::make_unique<Norm>(model.norm, spec.stem_width, model.groups, false, static_cast<float>(model.norm_eps));
  add_module("conv1", *stem_);
  add_module("bn1", *stem_norm_);
  int in = spec.stem_width;
  for (int stage = 0; stage <= last_level - 2; ++stage) {
    const int out = spec.widths[stage] * (spec.bottleneck ? 4 : 1);
    const bool halves = stage > 0 || spec.small_stem;
    stages_.emplace_back();
    for (int b = 0; b < spec.blocks[stage]; ++b) {
      stages_[stage].push_back(std::make_unique<ResidualBlock>(in, spec.widths[stage], out, b == 0 && halves ? 2 : 1,
                                                               spec.bottleneck, model, random));
      add_module("layer" + std::to_string(stage + 1) + "." + std::to_string(b), *stages_[stage].back());
      in = out;
    }
    channels_.push_back(out);
  }

  if (model.freeze_stages >= 1) {
    stem_->freeze();
    stem_norm_->freeze();
  }
  for (int stage = 0; stage < static_cast<int>(stages_.size()) && stage + 2 <= model.freeze_stages; ++stage) {
    for (auto& block : stages_[stage]) block->freeze();
  }
}

std::vector<Variable> ResNet::operator()(const Variable& images) const {
  Variable x = conv_norm(*stem_, *stem_norm_, images, true);
  if (pool_) x = max_pool(x, 3, 2, 1);
  std::vector<Variable> maps;
  for (const auto& stage : stages_) {
    for (const auto& block : stage) x = (*block)(x);
    maps.push_back(x);
  }
  return maps;
}

}  // namespace diopter
