#include "engine/optimizer.h"

#include <algorithm>
#include <set>
#include <string>

#include "engine/profile/profile.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/reduce.h"
#include "kernels/nn/sgd.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

std::vector<ParameterGroup> group_by_decay(const std::vector<NamedParameter>& parameters, const WeightDecay& decay) {
  const auto module_of = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
  std::set<std::string> norm_modules;
  for (const NamedParameter& p : parameters) {
    if (p.name.ends_with("weight") && p.variable.shape().rank() == 1) norm_modules.insert(module_of(p.name));
  }
  ParameterGroup weights{{}, decay.weights}, norms{{}, decay.norms}, biases{{}, decay.biases};
  for (const NamedParameter& p : parameters) {
    if (!p.variable.requires_gradient()) continue;
    ParameterGroup& group = norm_modules.count(module_of(p.name)) ? norms
                            : p.variable.shape().rank() > 1       ? weights
                                                                  : biases;
    group.parameters.push_back(p);
  }
  return {weights, norms, biases};
}

namespace {

/// Floats that a parameter takes in the flat buffers: whole 16 bytes, so that each begins where a GPU can read so many
/// at once. What is between them stays zero.
std::int64_t padded(std::int64_t count) { return (count + 3) / 4 * 4; }

}  // namespace

Sgd::Sgd(const std::vector<ParameterGroup>& groups, const Options& options) : options_(options) {
  std::int64_t total = 0;
  Device device = Device::cpu;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& p : group.parameters) {
      DIOPTER_CHECK(p.variable.requires_gradient(), "parameter ", p.name, " requires no gradient");
      total += padded(p.variable.value().size());
      parameter_count_ += p.variable.value().size();
      device = p.variable.value().device();
    }
  }
  gradients_ = Tensor::zeros({total}, DType::f32, device);
  velocity_ = Tensor::zeros({total}, DType::f32, device);

  std::vector<SgdSegment> segments;
  std::int64_t offset = 0;
  for (const ParameterGroup& group : groups) {
    for (const NamedParameter& p : group.parameters) {
      const Tensor &w = p.variable.value(), &copy = p.variable.bf16_copy();
      const Tensor gradient = gradients_.slice(offset, offset + w.size()).reshape(w.shape());
      const Tensor velocity = velocity_.slice(offset, offset + w.size()).reshape(w.shape());
      offset += padded(w.size());
      p.variable.gradient()->set_buffer(gradient);
      parameters_.push_back(p);
      velocities_.push_back({p.name, velocity});
      segments.push_back({.w = w.data<float>(),
                          .gradient = gradient.data<float>(),
                          .velocity = velocity.data<float>(),
                          .copy = copy.defined() ? copy.data<bf16>() : nullptr,
                          .count = w.size(),
                          .weight_decay = group.weight_decay});
    }
  }
  segment_count_ = static_cast<int>(segments.size());
  chunks_ = number_chunks(segments);
  segments_ = Tensor::empty({static_cast<std::int64_t>(segments.size() * sizeof(SgdSegment))}, DType::u8, device);
  segments_.copy_from_host(segments.data());
  for (Tensor* number : {&lr_, &squared_norm_, &norm_, &gradient_scale_}) {
    *number = Tensor::zeros({1}, DType::f32, device);
  }
  skip_ = Tensor::zeros({1}, DType::i32, device);
}

void Sgd::zero_gradients() {
  const ProfiledScope phase("clear gradients");
  gradients_.zero();
}

void Sgd::step(float lr, float factor, const Tensor& losses) {
  set_lr(lr);
  update(factor, losses);
}

void Sgd::set_lr(float lr) { DIOPTER_DISPATCH(lr_.device(), fill, 1, lr, lr_.data<float>()); }

void Sgd::update(float factor, const Tensor& losses) {
  const ProfiledScope phase("optimizer");
  const Device device = gradients_.device();
  DIOPTER_DISPATCH(device, squared_norm, gradients_.size(), gradients_.data<float>(), squared_norm_.data<float>());
  DIOPTER_DISPATCH(device, sgd_control,
                   SgdControlArgs{.squared_norm = squared_norm_.data<float>(),
                                  .losses = losses.defined() ? losses.data<float>() : nullptr,
                                  .loss_count = losses.defined() ? static_cast<int>(losses.size()) : 0,
                                  .factor = factor,
                                  .clip_norm = options_.clip_norm,
                                  .norm = norm_.data<float>(),
                                  .gradient_scale = gradient_scale_.data<float>(),
                                  .skip = skip_.data<std::int32_t>()});
  DIOPTER_DISPATCH(device, sgd_step,
                   SgdArgs{.segments = reinterpret_cast<const SgdSegment*>(segments_.data<std::uint8_t>()),
                           .segment_count = segment_count_,
                           .chunks = chunks_,
                           .values = parameter_count_,
                           .lr = lr_.data<float>(),
                           .gradient_scale = gradient_scale_.data<float>(),
                           .skip = skip_.data<std::int32_t>(),
                           .momentum = options_.momentum,
                           .nesterov = options_.nesterov});
}

WeightAverage::WeightAverage(const Module& model, float decay) : decay_(decay), parameters_(model.parameters()) {
  Device device = Device::cpu;
  for (const NamedParameter& p : parameters_) {
    averages_.push_back({p.name, p.variable.value().clone()});
    device = p.variable.value().device();
  }
  weight_ = Tensor::zeros({1}, DType::f32, device);
}

void WeightAverage::update() {
  advance();
  move_averages();
}

void WeightAverage::advance() {
  const double n = static_cast<double>(updates_++);
  const float weight = 1 - std::min(decay_, static_cast<float>((1 + n) / (10 + n)));
  DIOPTER_DISPATCH(weight_.device(), fill, 1, weight, weight_.data<float>());
}

void WeightAverage::move_averages() {
  const ProfiledScope phase("average");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& w = parameters_[i].variable.value();
    DIOPTER_DISPATCH(w.device(), lerp, w.size(), weight_.data<float>(), w.data<float>(),
                     averages_[i].tensor.data<float>());
  }
}

void WeightAverage::swap() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& w = parameters_[i].variable.value();
    const Tensor copy = w.clone();
    w.copy_from(averages_[i].tensor);
    averages_[i].tensor.copy_from(copy);
    if (parameters_[i].variable.bf16_copy().defined()) parameters_[i].variable.write_bf16_copy();
  }
}

}  // namespace diopter
